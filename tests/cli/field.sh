# Complaints that other tools' users file (docs/field.md): those that no other test holds.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/support/tap.sh"
export TAILOR_THREADS=1
digits 600 100 data || exit 1

# R21: nothing can reach out: no call that resolves names or connects is linked by ourselves, and a
# world without a network is as good.
calls() { nm -uC "$1" 2>/dev/null | grep -owE 'connect|getaddrinfo|gethostbyname|sendto' | sort -u; }
ok R21_library_cannot_reach_out eval 'nm "$BUILD/libtailor.a" 2>/dev/null | grep -q tailor_compare && [ -z "$(calls "$BUILD/libtailor.a")" ]'
ok R21_program_cannot_reach_out eval '[ -z "$(calls "$TAILOR" | grep -v sendto)" ]'
ok R21_asks_nothing eval '"$TAILOR" train data --arch "dense 8 relu" --epochs 1 --quiet --out asked >out 2>err </dev/null'

# R22: the first line within two seconds of work, whatever else the machine does; an ETA; and in a
# file neither redrawing nor colour.
mkfifo lines
"$TAILOR" train data --arch "dense 64 relu" --epochs 4000 --patience 0 --out long >out 2>lines & pid=$!
exec 3<lines
read -r first <&3
ticks=$(sed -E 's/.*\) //' "/proc/$pid/stat" | cut -d' ' -f12,13 | tr ' ' '+')
ok R22_first_line_within_two_seconds eval '[ -n "$first" ] && [ $((ticks)) -le $((2 * $(getconf CLK_TCK))) ]'
timeout 60 grep -m 1 -E 'ETA [0-9]' <&3 >eta
ok R22_says_how_long_it_will_take test -s eta
kill -INT $pid; cat <&3 >rest; wait $pid; status=$?
ok R22_is_interrupted is_status 130
cat eta rest >log
ok R22_a_log_holds_plain_lines eval '! grep -q "$(printf "[\r\033]")" log'

# R27: what earlier versions wrote is read, and says what it said: labels the same, numbers to 4
# digits; no counter of steps among the weights.
rounded() { sed -E 's/("(score|value)":[0-9]+\.?[0-9]{0,3})[0-9]*(e-?[0-9]+)?/\1/g; s/,"top5".*//' "$1"; }
for kept in "$top"/tests/golden/kept/*/*/; do
    name=$(basename "$(dirname "$kept")")_$(basename "$kept")
    input=$(find "$kept" -maxdepth 1 -type f ! -name answers.jsonl)
    cp "$input" .
    run predict "$kept/best" "$(basename "$input")" --precision f32
    rounded out >now; rounded "$kept/answers.jsonl" >then
    ok "R27_reads_${name//[^a-z0-9]/_}" eval 'is_status 0 && diff now then'
    ok "R27_no_counter_in_${name//[^a-z0-9]/_}" eval '! grep -aqE "num_batches_tracked|global_step|optimizer" "$kept/best/model.safetensors"'
done
finish
