# --config, TAILOR_* and options: file < environment < options; --dry-run shows what came of it.
. "$(dirname "$0")/../support/tap.sh"
digits 200 50 data || exit 1

plan() { run train data --arch 'dense 8 relu' --dry-run --json "$@"; }
value() { grep -oE "\"$1\": [^,]*" out | head -n 1 | cut -d' ' -f2-; }
is() { local got; got=$(value "$1"); [ "$got" = "$2" ] || { echo "# $1 is $got, not $2"; return 1; }; }

plan
ok dry_run_shows_the_plan eval 'is_status 0 && prints "\"network\"" && prints "\"peak_bytes\""'
ok dry_run_writes_nothing eval '[ ! -e tailor-runs ]'
run train data --arch 'dense 8 relu' --lr-find
ok lr_find_suggests eval 'is_status 0 && prints "^ *rate  training loss" && prints "^Suggested for scratch with .*: --lr "'
run train data --arch 'dense 8 relu' --lr-find --json --optimizer sgd
ok lr_find_as_json eval 'is_status 0 && prints "\"suggested\"" && prints "\"rates\"" && prints "\"sgd\""'
ok lr_find_writes_nothing eval '[ ! -e tailor-runs ]'
printf '# a comment\nlr: 0.5\nbatch-size = 16\noptim.beta1: 0.7\n' >c.yaml
plan --config c.yaml
ok file_of_lines eval 'is_status 0 && is lr 0.5 && is batch 16'
printf '{"lr": 0.5, "optim": {"beta1": 0.75}, "epochs": 3}' >c.json
plan --config c.json
ok file_of_json eval 'is_status 0 && is lr 0.5 && is beta1 0.75'
export TAILOR_LR=0.25; plan --config c.json
ok environment_rules_over_file eval 'is lr 0.25 && is beta1 0.75'
plan --config c.json --lr 0.125
ok option_rules_over_environment is lr 0.125
plan --config c.json --optim.lr=0.0625
ok dotted_option_rules is lr 0.0625
plan --config c.json --set optim.lr=0.0625
ok set_rules is lr 0.0625
unset TAILOR_LR
export TAILOR_OPTIM__BETA1=0.625; plan --config c.json
ok environment_by_dotted_name is beta1 0.625
unset TAILOR_OPTIM__BETA1
TAILOR_LR=fast plan
ok bad_environment_is_named fails_with 2 '^tailor: TAILOR_LR: "fast" is not a number'
TAILOR_DATA=/nowhere "$TAILOR" train data --arch 'dense 4 relu' --epochs 1 --out stored >out 2>err </dev/null; status=$?
ok an_option_of_another_command_is_not_stored eval 'is_status 0 && "$TAILOR" runs stored --json >out && ! grep -q nowhere out'
TAILOR_NO_SUCH_THING=1 plan
ok other_variables_are_left_alone is_status 0
printf 'lr: fast\n' >c.yaml; plan --config c.yaml
ok bad_line_is_named fails_with 2 '^tailor: c.yaml:1: "fast" is not a number'
printf 'seed: 1\nlearnig-rate: 1\n' >c.yaml; plan --config c.yaml
ok unknown_name_in_file fails_with 2 '^tailor: c.yaml:2: unknown option "learnig-rate"'
printf 'what is this\n' >c.yaml; plan --config c.yaml
ok no_name_in_line fails_with 2 '^tailor: c.yaml:1: this is not `name: value`'
printf '{"lr": ' >c.json; plan --config c.json
ok broken_json fails_with 3 '^tailor: c.json:1: not valid JSON'
plan --config none.json
ok missing_file eval '[ $status -ne 0 ] && one_line && says "^tailor: none.json: "'
plan --optim.lrr 1
ok unknown_setting_is_guessed fails_with 2 'did you mean optim.lr\?'
plan --optim.lr 1e400
ok setting_out_of_range eval '[ $status -eq 2 ] && one_line'
finish
