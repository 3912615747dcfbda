# The whole suite in two lanes beside each other, for run-tests, which sources this file.
#
# Lives here: which tests go in which lane, what is repeated, what is told at the end.
# Never here: installing anything.
# Expects `python` (the interpreter) and `pytest` (an array: the words that start it) to be set.
#
# What waits for real peers and for the clock, and what computes, go on beside each other: half the wall clock on
# two cores.  A machine of two cores may then stand still for a part of a second, longer than a stream's latency or
# than the bound a test puts on waiting, which shows nothing about srtpy.  So what failed among the tests in real time,
# if it was three at most, runs once more when both lanes have ended, with the machine to itself.  Both failures are
# shown whole; a test that fails again fails the run; the last line names what passed only alone.  That is an excuse
# for the machine and not for the test: one that is named there more than once has a bound too tight, or has found a
# race.  What computes in virtual time gives the same result each time and is never repeated, nor is a lane that broke
# off.

waiting=(tests/interop tests/threads tests/tools)
busy=(tests/hostile tests/cli tests/examples tests/internal/mux tests/internal/session)
mapfile -t door < <(compgen -G 'tests/test_*.py') # real connections too
busy+=("${door[@]}")
MOST_REPEATED=3

in_lane() { # in_lane <lane> <argument>...: run pytest, which remembers what failed for each lane apart
    local lane=$1
    shift
    "${pytest[@]}" -o "cache_dir=.pytest_cache/$lane" "$@"
}

failed_in() { # failed_in <lane>: print what has failed there, a line each
    local failures=.pytest_cache/$1/v/cache/lastfailed
    if [ -e "$failures" ]; then
        "$python" -c 'import json, sys; print(*sorted(json.load(open(sys.argv[1]))), sep="\n")' "$failures"
    fi
}

repeat() { # repeat <lane>...: run what failed there once more; succeed, and set `passed_alone`, if all of it passes
    local lane names=() these
    for lane in "$@"; do
        mapfile -t these < <(failed_in "$lane")
        names+=("${these[@]}")
    done
    if [ ${#names[@]} = 0 ] || [ ${#names[@]} -gt $MOST_REPEATED ]; then
        printf '%s failed beside the other tests; only up to %s are run again alone\n' ${#names[@]} $MOST_REPEATED
        return 1
    fi
    local status=0
    for lane in "$@"; do
        printf '\nonce more, alone: what failed in %s\n' "$lane"
        declare -n paths=$lane
        in_lane "$lane" --last-failed --last-failed-no-failures=none "${arguments[@]}" "${paths[@]}" || status=1
    done
    if [ $status = 0 ]; then
        passed_alone=("${names[@]}")
    fi
    return $status
}

compute() { # what computes, out of the others' way, then what keeps a core busy; write down how each ended
    local rest=0 last=0 others=("${waiting[@]}" "${busy[@]}")
    nice "${pytest[@]}" -o cache_dir=.pytest_cache/rest "$@" "${others[@]/#/--ignore=}" || rest=$?
    in_lane busy "$@" "${busy[@]}" || last=$?
    printf '%s %s\n' "$rest" "$last" >"$room/ends"
}

run_lanes() { # run_lanes <argument>...: run everything; the arguments go to each pytest
    local arguments=("$@") passed_alone=() again=() lane waited=0 computed=1 loaded=1
    rm -rf .pytest_cache/waiting .pytest_cache/rest .pytest_cache/busy
    room=$(mktemp -d)
    compute "$@" >"$room/said" 2>&1 &
    other=$!
    trap 'kill "$other" 2>/dev/null || true; rm -rf "$room"' EXIT
    in_lane waiting "$@" "${waiting[@]}" || waited=$?
    printf '\nthe tests that ran beside these:\n'
    wait "$other" || true
    trap 'rm -rf "$room"' EXIT
    cat "$room/said"
    if [ -e "$room/ends" ]; then
        read -r computed loaded <"$room/ends"
    fi
    # 1 is pytest's status for tests that failed; a greater one says that it could not run them all
    if [ "$waited" -le 1 ] && [ "$loaded" -le 1 ] && [ "$waited$loaded" != 00 ]; then
        if [ "$waited" = 1 ]; then again+=(waiting); fi
        if [ "$loaded" = 1 ]; then again+=(busy); fi
        if repeat "${again[@]}"; then
            waited=0 loaded=0
        fi
    fi
    if [ ${#passed_alone[@]} -gt 0 ]; then
        printf '\nfailed beside the other tests, passed alone: %s\n' "${passed_alone[*]}"
    fi
    for lane in "$computed" "$waited" "$loaded"; do
        if [ "$lane" != 0 ]; then
            return "$lane"
        fi
    done
}
