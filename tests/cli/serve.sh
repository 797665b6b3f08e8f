# compare --serve: the page of the running study, on the loopback interface, for requests that name it
# so; the study's result is the same as without.
. "$(dirname "$0")/../support/tap.sh"
digits 400 600 data || exit 1
arguments=(compare data --arch 'conv 8 3 relu, pool 2, dense 64 relu' --routes baseline,scratch --epochs 8 --seeds 3 --budget 5m)

# get PATH [HOST] [METHOD]: the answer into the file got.
get() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "${3:-GET}" "$1" "${2:-127.0.0.1:$port}" >&3
    cat <&3 >got; exec 3>&-
}
gives() { grep -qE -- "$1" got || { echo "# no $1"; return 1; }; }

"$TAILOR" "${arguments[@]}" --serve 0 --out served >out 2>err </dev/null & study=$!
for _ in $(seq 200); do port=$(sed -nE 's/^watch it at http:..127.0.0.1:([0-9]+).$/\1/p' err); [ -n "$port" ] && break; sleep 0.05; done
ok says_where test -n "$port"
get /
ok gives_the_page eval 'gives "^HTTP/1.1 200" && gives "^Content-Type: text/html" && gives "Tailor report" && gives "connect-src .self."'
get /study.json
ok gives_the_study eval 'gives "^HTTP/1.1 200" && gives "^Content-Type: application/json" && gives "^Cache-Control: no-store" && gives "\"number\":[0-9]+,\"now\":\""'
get / evil.example
ok refuses_other_names gives '^HTTP/1.1 403'
get / "127.0.0.1.evil.example"
ok refuses_names_that_begin_like_ours gives '^HTTP/1.1 403'
get / "127.0.0.1:$port" POST
ok refuses_to_be_written_to gives '^HTTP/1.1 405'
get /../../etc/passwd
ok knows_two_paths_only gives '^HTTP/1.1 404'
running='' last=''
while kill -0 $study 2>/dev/null; do
    get /study.json 2>/dev/null || break
    grep -q '"outcome":"running"' got && running=yes
    grep -qE '"outcome":"(better|tie|undecided)"' got && last=yes && break
    sleep 0.1
done
wait $study; status=$?
ok shows_it_running test -n "$running"
ok shows_the_verdict test -n "$last"
ok ends_well is_status 0
run "${arguments[@]}" --out plain
number() { tr -d '\n ' <"$1/verdict.json" | grep -oE '"winner":.*"runner_up"' | grep -oE '"test":[0-9.]+'; }
ok decides_as_without_it eval 'is_status 0 && [ -n "$(number served)" ] && [ "$(number served)" = "$(number plain)" ]'
ok leaves_it_out_of_the_command eval '! grep -q -- --serve served/report.html'
"$TAILOR" "${arguments[@]}" --serve 0 --out served >out 2>err </dev/null & study=$!
wait $study; status=$?
ok a_finished_study_ends_at_once is_status 0
run compare data --serve 70000
ok no_such_port fails_with 2 '^tailor: --serve: 70000 is no port'
finish
