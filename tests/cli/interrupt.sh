# Ctrl-C: state saved, 130, `tailor resume` goes on to the same bits, also after kill -9; a lock
# refuses a second process.
. "$(dirname "$0")/../support/tap.sh"
digits 2000 100 data || exit 1
export TAILOR_THREADS=1
arguments=(train data --arch "dense 64 relu, dense 64 relu" --epochs 150 --batch-size 8 --patience 0)

# start NAME COMMAND...: in the background, until it trains
start() {
    : >err # what an earlier one said there is no sign that this one trains
    "$TAILOR" "$@" >out 2>err & pid=$!
    for ((i = 0; i < 3000; i++)); do grep -q Epoch err && break; sleep 0.02; done
}
"$TAILOR" "${arguments[@]}" --out straight >out 2>err; status=$?
ok straight_run is_status 0

start "${arguments[@]}" --out broken
"$TAILOR" "${arguments[@]}" --out broken >out2 2>err2; status=$?
ok second_process_is_refused eval 'is_status 1 && grep -q "another process is running in it" err2'
kill -INT $pid; wait $pid; status=$?
ok interrupt_is_130 eval 'is_status 130 && one_line && says "^tailor: broken: interrupted, saved .tailor resume broken goes on"'
run runs broken
ok interrupted_is_unfinished prints 'not finished'
start resume broken
kill -KILL $pid; wait $pid 2>/dev/null
run runs broken
ok killed_is_unfinished prints 'not finished'
run resume broken
ok resume_ends_well is_status 0
ok resume_gives_the_same_bits cmp straight/best/model.safetensors broken/best/model.safetensors
ok no_part_files_are_left eval '! find broken -name "*.part*" | grep -q .'
run resume broken
ok resumed_is_finished eval 'is_status 0 && says "is finished"'

start "${arguments[@]}" --out twice
kill -INT $pid; kill -INT $pid; wait $pid; status=$?
ok twice_stops_at_once is_status 130
run resume twice
ok resume_after_two is_status 0
finish
