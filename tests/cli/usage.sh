# Commands, options, spelling help, exit statuses: contract.md "Commands", "Exit status", "Errors".
. "$(dirname "$0")/../support/tap.sh"

run --version
ok version_prints_the_version eval 'is_status 0 && prints "^tailor [0-9]+\.[0-9]+\.[0-9]+$"'
run
ok no_command_shows_the_overview_and_fails eval 'is_status 2 && prints "^Usage: tailor COMMAND" && says "tailor demo"'
run help
ok help_lists_commands eval 'is_status 0 && prints "compare" && prints "demo" && [ ! -s err ]'
run --help
ok help_option_is_help eval 'is_status 0 && prints "^Usage: tailor COMMAND"'

for command in demo inspect compare rank update train pretrain evaluate predict chat runs show resume doctor help; do
    run help "$command"
    ok "help_$command" eval 'is_status 0 && prints "^Usage: tailor $command" && prints "^Example: tailor $command"'
    cp out first
    run "$command" --help
    ok "option_help_$command" eval 'is_status 0 && cmp -s out first'
done
run help
ok overview_is_at_most_90_wide eval '[ -z "$(awk "length > 90" out)" ] && prints "^  DATA " && prints "^  tailor inspect DATA"'
run help predict
ok help_says_what_the_words_mean eval 'prints "^  MODEL " && prints "^  INPUT " && ! prints "^  DATA " >/dev/null'
for command in serve export pull; do
    run "$command" x
    ok "later_$command" fails_with 2 "^tailor: $command: not part of this version"
    run help
    ok "later_${command}_is_not_listed" eval '! grep -q "^  $command " out'
done

run compar x
ok unknown_command_is_guessed fails_with 2 'did you mean `tailor compare`'
run help trian
ok unknown_help_is_guessed fails_with 2 'did you mean `tailor train`'
run frobnicate
ok unknown_command fails_with 2 'frobnicate: unknown command'
run compare x --budgte 5m
ok unknown_option_is_guessed fails_with 2 '^tailor: --budgte: unknown option \(did you mean --budget\?\)'
run compare x --zzzzzzzz 5
ok unknown_option fails_with 2 '^tailor: --zzzzzzzz: unknown option'
run compare x -z
ok unknown_letter fails_with 2 '^tailor: -z: unknown option'
run evaluate a b --lr 1
ok option_of_another_command fails_with 2 '^tailor: --lr: `tailor evaluate` does not take it'
run compare
ok operand_missing fails_with 2 'usage: tailor compare DATA'
run evaluate m
ok second_operand_missing fails_with 2 'usage: tailor evaluate MODEL DATA'
run compare a b
ok operand_too_many fails_with 2 '"b" is one operand too many'
run train x --lr
ok value_missing fails_with 2 '^tailor: --lr: its value is missing'
run train x --epochs ten
ok not_a_number fails_with 2 '^tailor: --epochs: "ten" is not a number'
run train x --epochs nan
ok nan_is_not_a_number fails_with 2 '^tailor: --epochs: "nan" is not a number'
run train x --seed 1.5
ok not_whole fails_with 2 '^tailor: --seed: "1.5" is not a whole number'
run train x --seed -1
ok not_negative fails_with 2 '^tailor: --seed: "-1" is not a whole number'
run compare x --budget soon
ok not_a_time fails_with 2 '"soon" is not a time \(try 90s'
run compare x --memory lots
ok not_a_size fails_with 2 '"lots" is not a size \(try 512M'
run compare x --precision f64
ok not_a_choice fails_with 2 '"f64" is not known \(choose auto\|f32\|bf16\)'
run compare x --quiet=5
ok flag_with_value fails_with 2 '^tailor: --quiet: takes no value'
run train x --route lroa
ok unknown_route fails_with 2 '^tailor: --route: "lroa" is not known'
run train x --route prob
ok route_is_guessed fails_with 2 'did you mean probe\?'
run compare x --routes scratch,prob
ok routes_are_guessed fails_with 2 '^tailor: --routes: "prob" is not known \(did you mean probe\?\)'
run train x --optimizer adan
ok optimizer_is_guessed fails_with 2 'did you mean adamw?\?'
run train x --set lr
ok set_without_value fails_with 2 '^tailor: --set: "lr" is not NAME=VALUE'

# Every spelling people type is taken: the first error is then about the missing data.
for spelling in --lr=0.1 --learning-rate=0.1 --learning_rate=0.1 --num-train-epochs=1 \
    --num_train_epochs=1 --epochs=1 --per-device-train-batch-size=8 --per_device_train_batch_size=8 \
    --batch-size=8 --output-dir=o --output_dir=o --out=o -oo --optim.lr=0.1 --seed=3; do
    run train "$spelling" ./no-such-data
    ok "spelling_${spelling%%=*}" fails_with 3 'no-such-data'
done
run train ./no-such-data --lr 0.1 --seed 2
ok options_after_operands fails_with 3 'no-such-data'
run --seed 2 --lr 0.1 train ./no-such-data
ok options_before_the_command fails_with 3 'no-such-data'
run train --seed 2 -- --no-such-data
ok two_dashes_end_options fails_with 3 'no-such-data'

# What people give by mistake for data is told apart.
mkdir empty flat weights && : >flat/a.JPG && : >weights/model.safetensors && echo hello >notes.txt && : >book.xlsx
run inspect empty
ok empty_folder fails_with 3 '^tailor: empty: is empty'
run inspect flat
ok pictures_without_classes fails_with 3 '^tailor: flat: holds pictures, but nothing says their classes'
run compare weights
ok weights_are_no_data fails_with 3 '^tailor: weights: holds weights, no data .*--base'
run inspect weights/model.safetensors
ok a_weight_file_is_no_data fails_with 3 'holds weights, no data'
run inspect notes.txt
ok one_text_file_has_no_labels fails_with 3 'holds no labels'
run inspect book.xlsx
ok a_spreadsheet_is_no_table fails_with 3 'save it as CSV'
ok a_wrong_question_leaves_no_folder eval '[ -z "$(ls tailor-runs 2>/dev/null)" ]'
rm -rf tailor-runs

run train ./no-such-data --quiet
ok missing_data_is_3 fails_with 3 '^tailor: ./no-such-data: .*\(.*\)$'
ok missing_data_writes_nothing eval '[ ! -e tailor-runs ]'
run evaluate ./no-model ./no-data
ok missing_model_is_3 fails_with 3 '^tailor: ./no-model: .*'
run show no-such-run
ok unknown_run fails_with 2 'no run of that name'
run resume no-such-run
ok resume_unknown_run fails_with 2 'no run of that name'
finish
