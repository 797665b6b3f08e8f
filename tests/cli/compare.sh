# The main job on the project's own pictures, small: files, verdict, JSON, dry run, resume.
. "$(dirname "$0")/../support/tap.sh"
digits 300 600 data || exit 1
arguments=(compare data --arch 'dense 16 relu' --routes baseline,scratch --epochs 2 --seeds 3 --budget 3m --cost-per-hour 36 --retrain 7d --predictions 100000)

run "${arguments[@]}" --retrain never --out plan
ok retrain_is_a_time fails_with 2 '^tailor: --retrain'
run "${arguments[@]}" --dry-run --out plan
ok dry_run_shows_candidates eval 'is_status 0 && prints "baseline" && prints "scratch"'
ok dry_run_writes_nothing eval '[ ! -e plan ]'
run "${arguments[@]}" --dry-run --json
ok dry_run_as_json eval 'is_status 0 && [ "$(head -c 1 out)" = "{" ] && prints "\"forecast\""'

run "${arguments[@]}" --out study
cp out people
ok compare_ends_well is_status 0
ok says_the_task_first eval 'says "image-classification"'
ok margin_is_one_point says 'margin: 1 point;'
ok prints_a_verdict eval 'grep -qE "^(Verdict|Undecided)" people && grep -q "on test rows" people'
ok table_has_intervals eval 'grep -qE "^ +baseline .*\[[0-9.]+, [0-9.]+\]" people && grep -qE "^ +scratch .*\[[0-9.]+, [0-9.]+\]" people'
ok says_what_the_baseline_is eval 'tr -d "\n" <people | grep -qE "classical baseline is (logistic regression|the nearest)"'
ok says_what_it_costs eval 'grep -qE "whole comparison took [0-9.]+ m?s \([0-9.e-]+ in money\)" people && grep -qE "In a year scratch takes .first training, 52 more, predictions. .*in money" people'
ok money_is_in_the_verdict eval 'grep -qE "\"money\": [0-9.e-]+" study/verdict.json'
ok a_year_is_the_sum_of_its_parts eval 'tr -d "\n " <study/verdict.json | grep -oE "\"trainings\":[^}]*" | awk -F "[:,]" "{ n++; d = \$4 + \$6 + \$8 - \$10; if (d * d > 1e-6 * \$10 * \$10 || \$4 <= 0 || \$6 <= \$4 || \$8 <= 0) exit 1 } END { exit n < 1 }"'
ok says_what_it_saved eval 'tr "\n" " " <people | tr -s " " | grep -qE "all [0-9]+ runs alone would take about [0-9.]+ .*by stopping early \(estimated\)"'
ok the_account_is_in_the_verdict eval 'tr -d " \n" <study/verdict.json | grep -qE "\"saved\":[{]\"" && grep -q "\"alone_seconds\"" study/verdict.json'
ok says_what_next eval 'grep -q "tailor predict study/best" people && grep -q "study/report.html" people'
for file in verdict.json report.html best/config.json best/model.safetensors best/tailor.json runs.db events; do
    ok "wrote_$(basename "$file")" test -s "study/$file"
done
ok no_part_files_are_left eval '! find study -name "*.part*" | grep -q .'
run show study --json
ok show_gives_the_verdict eval 'is_status 0 && prints "\"decision\"" && prints "\"candidates\""'
number() { tr -d '\n ' <"$1" | grep -oE "\"$2\":[{\"a-z:]*[0-9.]+" | head -n 1 | grep -oE '[0-9.]+$'; }
tr -d '\n ' <study/verdict.json | grep -oE '"winner":.*"runner_up"' >winner
run evaluate study/best data --json
ok best_scores_what_the_verdict_says eval '[ -n "$(number winner test)" ] && [ "$(printf %.9f "$(number out accuracy)")" = "$(printf %.9f "$(number winner test)")" ]'
run resume study
ok resume_finished_says_so eval 'is_status 0 && says "is finished"'
run runs study
ok runs_are_listed eval 'prints "baseline" && prints "scratch"'
run compare data --arch 'dense 16 relu' --out study
ok another_question_in_the_same_folder fails_with 2 'holds the runs of another command'
run compare ./no-such-data --json
ok missing_data fails_with 3 'no-such-data'
run compare data --base ./no-such-base --budget 20s
ok missing_base fails_with 3 'no-such-base'
run compare data --budget 20s --arch 'dens 16'
ok bad_words fails_with 2 'dens'
run compare data --epochs -3
ok a_number_out_of_range_is_said fails_with 2 'epochs: "-3" is no number from'
ok wrong_questions_leave_no_folder eval '[ -z "$(ls tailor-runs 2>/dev/null)" ]'
mkdir kept && run compare data --epochs -3 --out kept
ok a_folder_of_ones_own_stays test -d kept

# One candidate alone: nothing is claimed of what was not compared, and what would run is said.
big='conv 64 3 relu, conv 256 3 relu, conv 256 3 relu, conv 256 3 relu, dense 64 relu'
run compare data --arch "$big" --budget 2s --out 'one alone'
ok alone_is_not_sure eval 'is_status 0 && prints "Nothing to compare it with" && ! grep -q "Confidence" out && tr -d " \n" <"one alone/verdict.json" | grep -q "\"confidence\":null"'
ok not_run_says_the_budget eval 'tr "\n" " " <out | tr -s " " | grep -qE "scratch: one run would take about .*--budget [0-9]+[mh] runs it"'
ok a_small_budget_says_what_it_left_out eval 'grep -q "1 of 2 candidates were not run" "one alone/verdict.json" && tr "\n" " " <out | tr -s " " | grep -q "Left out: 1 of 2 candidates were not run"'
ok not_run_has_a_forecast eval '! tr -d " \n" <"one alone/verdict.json" | grep -qE "\"forecast\":[{]\"seconds\":0(\.0)?,"'
mkdir -p tailor-runs && mv 'one alone' tailor-runs/ && run runs
ok a_command_is_quoted_for_the_shell prints "'--out=one alone' -- data"
finish
