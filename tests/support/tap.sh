# tap.sh -- what the tests of the command line share; sourced by tests/cli/*.sh.
# TAILOR, BUILD, TAILOR_DATA come from tools/run-tests.
unset NO_COLOR CLICOLOR_FORCE
tests=0 failures=0
here=$(mktemp -d "${TMPDIR:-/tmp}/tailor-cli.XXXXXX")
trap 'rm -rf "$here"' EXIT
cd "$here" || exit 1

report() { # RC NAME
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then echo "ok $tests - $2"; else
        echo "not ok $tests - $2"
        failures=$((failures + 1))
        sed 's/^/# out: /' out 2>/dev/null | head -n 20
        sed 's/^/# err: /' err 2>/dev/null | head -n 20
    fi
}
# run ARGUMENTS...: the program with its output in files out and err, its status in $status.
run() { "$TAILOR" "$@" >out 2>err </dev/null; status=$?; }
ok() { local name=$1; shift; "$@"; report $? "$name"; }        # ok NAME COMMAND...
is_status() { [ "$status" -eq "$1" ] || { echo "# status $status, not $1"; return 1; }; }
says() { grep -qE -- "$1" err || { echo "# stderr lacks: $1"; return 1; }; }
prints() { grep -qE -- "$1" out || { echo "# stdout lacks: $1"; return 1; }; }
one_line() { [ "$(grep -c '^tailor: ' err)" -eq 1 ] && [[ $(tail -n 1 err) == tailor:\ * ]]; }
silent() { [ ! -s out ]; }
# Fails with STATUS, one line on stderr that matches PATTERN, nothing on stdout.
fails_with() { is_status "$1" && one_line && silent && says "$2"; }
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
# digits TRAIN TEST FOLDER [png]: the project's own pictures.
digits() { "$BUILD/tailor-strokes" digits 1 "$1" "$2" "$3" ${4:+png}; }
finish() { echo "1..$tests"; [ $failures -eq 0 ]; }
