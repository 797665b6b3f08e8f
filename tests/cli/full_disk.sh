# A comparison on a full disk stops with exit 4, keeps what it has, and goes on after space is
# made, to the same verdict and weights as one that had room.  The disk is a tmpfs of the test's
# own mount namespace.
if [ -z "${OWN_MOUNTS:-}" ] && unshare -rm true 2>/dev/null; then
    OWN_MOUNTS=1 exec unshare -rm bash "$0" "$@"
fi
. "$(dirname "$0")/../support/tap.sh"
mkdir disk
if ! mount -t tmpfs -o size=4m tmpfs disk 2>/dev/null; then
    skip full_disk "no file system may be mounted here"
    finish; exit
fi
trap 'umount -l "$here/disk"; rm -rf "$here"' EXIT
digits 300 600 data || exit 1
export TAILOR_THREADS=1
arguments=(compare data --arch 'dense 256 relu' --routes baseline,scratch --epochs 2 --seeds 2 --budget 1h)

# verdict FOLDER: what two of them must share; costs, forecasts, budget and milliseconds are measured
verdict() {
    sed -E '/"(cost|forecast|budget|inference)": \{/,/^ *\}/d' "$1/verdict.json"
    sha256sum <"$1/best/model.safetensors"
}
# kept FOLDER: the whole files that a later process begins from
kept() { find "$1/checkpoints" "$1/best" -type f ! -name '*.part*' 2>/dev/null | sort | xargs -r sha256sum; }
room() { mount -o "remount,size=$1" disk; }

run "${arguments[@]}" --out straight
ok straight_ends_well is_status 0
verdict straight >wanted
stops=0 saved=0
for size in 24k 384k 1200k 1600k; do
    rm -rf disk/study; room "$size"
    run "${arguments[@]}" --out disk/study
    [ "$status" -eq 0 ] && break
    stops=$((stops + 1))
    ok "stops_at_$size" fails_with 4 'No space left on device|disk full'
    kept disk/study >before
    [ -s before ] && saved=$((saved + 1))
    again=("${arguments[@]}" --out disk/study)
    run "${again[@]}"
    ok "stops_again_at_$size" fails_with 4 'No space left on device|disk full'
    kept disk/study >after
    ok "frees_nothing_at_$size" eval '[ "$(comm -23 before after | wc -l)" -eq 0 ]'
    room 64m
    # Nothing could be kept where not even the database had room.
    run resume disk/study
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ] && [ ! -s before ] && run "${again[@]}"
    ok "goes_on_at_$size" is_status 0
    verdict disk/study >found
    ok "same_verdict_at_$size" diff wanted found
done
# What only saves time is no reason to stop: 7 MiB of what a frozen layer puts out find no room.
room 64m
rm -rf disk/study
run train data --arch 'conv 8 3 relu, conv 8 3 relu, pool 4, dense 8 relu' --epochs 1 --out disk/base
ok base_is_trained is_status 0
mv disk/base base
frozen=(compare data --base base/best --routes probe,partial --set top_blocks=2
    --epochs 2 --seeds 2 --budget 1h)
run "${frozen[@]}" --out straight_frozen
ok frozen_straight_ends_well is_status 0
ok frozen_straight_has_room eval '! grep -q "has no room" straight_frozen/verdict.json'
room 4m
run "${frozen[@]}" --out disk/study
ok frozen_needs_no_room is_status 0
ok frozen_says_so grep -q 'The disk has no room for' disk/study/verdict.json
verdict straight_frozen | tail -n 1 >wanted
verdict disk/study | tail -n 1 >found
ok frozen_same_weights diff wanted found
ok some_had_no_room test "$stops" -eq 4
ok some_had_saved_something test "$saved" -ge 1
finish
