# SPDX-License-Identifier: MIT
# Completion of mshare(1) for bash. Commands and options are those that the command's own help
# names, so that there is no list here that could grow old.

_mshare_commands() {
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p;/^Examples/q'
}

_mshare_options() {
	echo --help
	"$1" "$2" --help 2>/dev/null | sed -n 's/^  \(--[a-z][a-z-]*\).*/\1/p'
}

# What the option before the cursor wants, or nothing. The columns of top are where its help says.
_mshare_values() {
	case $3 in
	--backend) echo plain thp hugetlb shim "$([[ $2 != run ]] || echo auto)" ;;
	--sort) "$1" "$2" --help 2>/dev/null | sed -n '/^  --sort COLUMN/,/default/{s/.*--sort COLUMN//;s/;.*//;p;}' ;;
	--delay | --batch | --procs | --parallel | --size | --min-size | --depth | --mode) ;;
	*) return 1 ;;
	esac
}

# The words that may follow as operands of a command. Slashes of names may be left out.
_mshare_operands() {
	case $2 in
	stat | rm | revoke | save | handover) "$1" list --names 2>/dev/null | if [[ $3 == /* ]]; then cat; else cut -c 2-; fi ;;
	bench) echo tables ;;
	help) _mshare_commands "$1" ;;
	esac
}

# One word a line, with what the shell takes for something else quoted: names may hold anything.
_mshare_reply() {
	local word=$2 line
	COMPREPLY=()
	while IFS= read -r line; do
		[[ -n $line && $line == "$word"* ]] && COMPREPLY+=("$(printf %q "$line")")
	done < <(printf '%s\n' "$1")
}

_mshare_words() {
	# shellcheck disable=SC2086 # words on purpose
	_mshare_reply "$(printf '%s\n' $1)" "$2"
}

# The program behind run, and its own words.
_mshare_program() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		if declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif ((COMP_CWORD == i + 1)); then
			mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		fi
		return 0
	done
	return 1
}

_mshare() {
	local tool=$1 word=$2 before=$3 command=${COMP_WORDS[1]} values
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_mshare_words "$(_mshare_commands "$tool") --help --version" "$word"
	elif [[ $command == run ]] && _mshare_program; then
		return
	elif [[ $before == --output || $before == --plot || $before == --report ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
	elif values=$(_mshare_values "$tool" "$command" "$before"); then
		_mshare_words "$values" "$word"
	elif [[ $word == -* ]]; then
		_mshare_words "$(_mshare_options "$tool" "$command")" "$word"
	elif [[ $command == handover && $before != handover ]]; then
		_mshare_words "$(cd /proc && echo [0-9]*)" "$word"
	elif [[ $command == load || ($command == save && $before != save) ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
	else
		_mshare_reply "$(_mshare_operands "$tool" "$command" "$word")" "$word"
	fi
}
complete -F _mshare mshare
