# A model in use and new data: what is said and written, what is kept bit for bit, what is refused.
. "$(dirname "$0")/../support/tap.sh"
unset TAILOR_DATA # it would be --data
digits 300 200 old || exit 1
"$BUILD/tailor-strokes" digits 2 300 150 like
invert() { # IN OUT: an IDX file's pictures, black for white
    { head -c 16 "$1"; tail -c +17 "$1" | LC_ALL=C tr '\000-\377' "$(printf '\\%03o' $(seq 255 -1 0))"; } >"$2"
}
mkdir new
for f in like/*; do
    case $f in *images*) invert "$f" "new/$(basename "$f")" ;; *) cp "$f" new/ ;; esac
done
ok pictures_are_inverted eval '! cmp -s like/train-images-idx3-ubyte new/train-images-idx3-ubyte'
run train old --arch 'conv 8 3 relu, pool 2, dense 32 relu' --epochs 30 --quiet --out use
ok a_model_is_in_use is_status 0
short=(--epochs 25 --lr 0.003 --seeds 3 --budget 5m --set least_steps=40 --quiet)

run update use/best
ok needs_new_data fails_with 2 '^tailor: --data: is missing'
run update use/best --data old --out no
ok its_own_data_are_nothing_new fails_with 3 'is the data this model was made from'
run update nowhere --data new --out no2
ok names_a_model_that_is_not_there fails_with 3 '^tailor: nowhere'
run update use/best --data nowhere --out no3
ok names_data_that_are_not_there fails_with 3 'nowhere'
run update use/best --data new --routes probe --out no4
ok routes_of_compare_are_refused fails_with 2 '"probe" is not known'
run update use/best --data new --routes replay --out no5
ok replay_needs_old_rows fails_with 2 'replay needs old rows'
run update use/best --data new --image-size 20 --out no6
ok another_size_is_refused fails_with 2 'image_size'
run update use/best --data new --old old --dry-run --out plan
ok dry_run_plans eval 'is_status 0 && prints replay && prints scratch && [ ! -e plan ]'

run update use/best --data new --old old --routes full,replay "${short[@]}" --out study
cp out people
ok update_ends_well is_status 0
ok says_first_what_to_do eval 'grep -v "^$" people | head -n 1 | grep -qE "^(Keep|Fine-tune|Retrain) the model"'
ok says_what_counts eval 'tr "\n" " " <people | tr -s " " | grep -q "validation chooses one, and the new data.s test rows say whether it beats"'
ok says_that_the_data_drifted eval 'tr "\n" " " <people | tr -s " " | grep -q "the new data are harder for it (drift)"'
for file in verdict.json report.html best/config.json best/model.safetensors best/tailor.json runs.db events; do
    ok "wrote_$(basename "$file")" test -s "study/$file"
done
number() { tr -d '\n ' <"$1" | grep -oE "\"$2\":[{\"a-z:]*[0-9.]+" | head -n 1 | grep -oE '[0-9.]+$'; }
tr -d '\n ' <study/verdict.json | grep -oE '"winner":.*"runner_up"' >winner
ok what_does_not_forget_wins eval 'grep -q "\"route\":\"replay\"" winner && tr "\n" " " <people | tr -s " " | grep -q "full cannot win: It forgets"'
run evaluate study/best new --json
ok best_scores_what_the_verdict_says eval '[ -n "$(number winner test)" ] && [ "$(printf %.9f "$(number out accuracy)")" = "$(printf %.9f "$(number winner test)")" ]'
ok old_scores_are_in_the_verdict eval 'grep -q "\"change\": {" study/verdict.json && grep -q "\"unsure\": false" study/verdict.json'
run resume study
ok resume_finished_says_so eval 'is_status 0 && says "is finished"'
run show study --json
ok show_gives_the_verdict eval 'is_status 0 && prints "\"sentence\""'

# What may lie within the margin is not worth acting on: the model is handed back, bit for bit.
run update use/best --data like --routes full "${short[@]}" --margin 0.9 --out same
ok keeps_what_is_good_enough eval 'is_status 0 && grep -v "^$" out | head -n 1 | grep -q "^Keep the model as it is"'
ok the_kept_model_keeps_its_bits cmp -s use/best/model.safetensors same/best/model.safetensors
ok says_that_forgetting_is_not_known eval 'tr "\n" " " <out | tr -s " " | grep -q "what is forgotten is not known"'

# NEW that holds OLD as well: what stands in both is old.
digits_of() { tail -c +"$3" "$1/$2"; }
mkdir both
printf '\000\000\010\003\000\000\002\130\000\000\000\034\000\000\000\034' >both/train-images-idx3-ubyte
printf '\000\000\010\001\000\000\002\130' >both/train-labels-idx1-ubyte
for d in old new; do
    digits_of $d train-images-idx3-ubyte 17 >>both/train-images-idx3-ubyte
    digits_of $d train-labels-idx1-ubyte 9 >>both/train-labels-idx1-ubyte
done
cp new/t10k-* both/
run update use/best --data both --old old --dry-run
ok copies_count_as_old says '300 of the 750 new rows stand in the old data, too'
cp -r old other
printf '\000' | dd of=other/train-images-idx3-ubyte bs=1 seek=1000 conv=notrunc 2>/dev/null
printf '\001' | dd of=other/train-images-idx3-ubyte bs=1 seek=1001 conv=notrunc 2>/dev/null
run update use/best --data new --old other --dry-run
ok another_old_is_said says 'does not say that other is what it was made from'
finish
