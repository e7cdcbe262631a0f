# SPDX-License-Identifier: MIT
"""Cases one after the other, as the Test Anything Protocol has it."""
import sys
import traceback


class Skip(Exception):
    """This machine cannot do it; the text says what is missing."""


def expect(condition, words):
    """Not assert: that goes when Python optimises, and says nothing about values."""
    if not condition:
        raise AssertionError(words)


def note(text):
    print("".join(f"# {line}\n" for line in str(text).splitlines()), end="", flush=True)


def _result(number, case, argument, diagnosis):
    name = case.__name__.replace("_", " ")
    try:
        case(argument)
    except Skip as why:
        print(f"ok {number} - {name} # SKIP {why}", flush=True)
        return True
    except Exception as error:
        print(f"not ok {number} - {name}", flush=True)
        note("".join(traceback.format_exception(error)))
        note(diagnosis())
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def run(cases, argument, diagnosis=lambda: "", needed=()):
    """Each case, a function that it is named for, is called with the argument. Without those that
    are needed the others cannot be tried. Exit status."""
    print(f"1..{len(cases)}", flush=True)
    good = True
    for number, case in enumerate(cases, 1):
        passed = _result(number, case, argument, diagnosis)
        if not passed and case in needed:
            print(f"Bail out! without {case.__name__.replace('_', ' ')} there is nothing to test")
            return 1
        good = good and passed
    return 0 if good else 1


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)
