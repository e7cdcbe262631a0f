// SPDX-License-Identifier: MIT
//
// plus-plus: the same library from C++17. Two small classes turn handles and attachments into
// objects that clean up after themselves and errors into exceptions with the library's sentence.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <mshare.h>

namespace
{

[[noreturn]] void raise(const char *what)
{
	const int error = errno; // before anything else can change it

	throw std::system_error(error, std::generic_category(),
				std::string(what) + ": " + mshare_errmsg());
}

class Region
{
      public:
	explicit Region(std::size_t size) : handle_(mshare_create(nullptr, size, nullptr))
	{
		if (!handle_)
			raise("cannot create a region");
	}
	~Region()
	{
		mshare_close(handle_);
	}
	Region(const Region &) = delete;
	Region &operator=(const Region &) = delete;

	mshare_t handle() const
	{
		return handle_;
	}

      private:
	mshare_t handle_;
};

// One T at the beginning of a region. The object belongs to all processes that attach it, so it is
// made once, with create(), and not destroyed here. T must be free of pointers and of vtables.
template <typename T> class Attached
{
      public:
	explicit Attached(const Region &region) : region_(region)
	{
		void *addr = mshare_attach(region.handle(), nullptr, 0, sizeof(T),
					   PROT_READ | PROT_WRITE, 0);

		if (addr == MAP_FAILED)
			raise("cannot attach");
		object_ = static_cast<T *>(addr);
	}
	~Attached()
	{
		mshare_detach(region_.handle(), object_, sizeof(T));
	}
	Attached(const Attached &) = delete;
	Attached &operator=(const Attached &) = delete;

	template <typename... Args> void create(Args &&...args)
	{
		new (object_) T(std::forward<Args>(args)...);
	}
	T *operator->() const
	{
		return object_;
	}

      private:
	const Region &region_;
	T *object_;
};

struct Counter {
	static_assert(std::atomic<long>::is_always_lock_free, "a hidden lock is not shared");
	std::atomic<long> value{ 0 };
};

constexpr int processes = 4;
constexpr long rounds = 100000;

pid_t start_counting(Attached<Counter> &counter)
{
	const pid_t child = fork();

	if (child < 0)
		throw std::system_error(errno, std::generic_category(), "fork");
	if (child == 0) {
		for (long i = 0; i < rounds; i++)
			counter->value.fetch_add(1, std::memory_order_relaxed);
		_exit(EXIT_SUCCESS); // the destructors are the parent's business
	}
	return child;
}

void count_together()
{
	Region region(sizeof(Counter));
	Attached<Counter> counter(region);
	std::vector<pid_t> children;

	counter.create();
	for (int i = 0; i < processes; i++)
		children.push_back(start_counting(counter));
	for (const pid_t child : children)
		if (waitpid(child, nullptr, 0) < 0)
			throw std::system_error(errno, std::generic_category(), "waitpid");

	std::printf("%d processes counted to %ld\n", processes, counter->value.load());
	if (counter->value != processes * rounds)
		throw std::runtime_error("some were lost");
}

// An error must arrive as an exception with its number and the library's sentence.
void refuse_nothing()
{
	try {
		Region nothing(0);
	} catch (const std::system_error &error) {
		std::printf("a region of 0 bytes: %s\n", error.what());
		if (error.code() == std::errc::invalid_argument)
			return;
	}
	throw std::runtime_error("a region of 0 bytes was not refused as such");
}

} // namespace

int main()
{
	try {
		count_together();
		refuse_nothing();
	} catch (const std::exception &error) {
		std::fprintf(stderr, "plus-plus: %s\n", error.what());
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
