# Bases in order: one that has learnt from such pictures before one whose weights are as drawn.
. "$(dirname "$0")/../support/tap.sh"
digits 300 100 data || exit 1
net='conv 8 3 relu, pool 2, conv 16 3 relu, pool 2, gpool'
run train data --arch "$net" --epochs 60 --lr 0.05 --patience 0 --quiet --out learnt
ok a_base_is_trained is_status 0
run train data --arch "$net" --epochs 0.1 --lr 0 --quiet --out drawn
ok a_base_is_drawn is_status 0
cp -r data before

run rank data --base drawn/best --base learnt/best --json
cp out first
ok ranks is_status 0
ok the_trained_base_is_first eval 'tr -d "\n " <out | grep -oE "\"base\":\"[a-z]+" | head -n 1 | grep -q learnt'
ok every_score_is_there eval 'for k in probe knn hscore logme leep nce ms_per_row rank_ci95 blind_rank agreement; do prints "\"$k\"" || exit 1; done'
run rank data --base learnt/best --base drawn/best --json
scores() { grep -vE 'ms_per_row' "$1"; }
ok same_scores_in_another_order eval '[ "$(scores out | tr -d " ,\n" | grep -oE "hscore\":[0-9.]+" )" = "$(scores first | tr -d " ,\n" | grep -oE "hscore\":[0-9.]+")" ]'
run rank data --base drawn/best --base learnt/best
ok a_table_for_people eval 'prints "rank \[95 %\]" && prints "new head \[95 %\]" && prints "next  tailor compare data --base learnt/best"'
ok nothing_is_written eval '[ ! -e tailor-runs ] && diff -r data before'
run rank data
ok needs_a_base fails_with 2 '^tailor: --base: is missing'
run rank data --base nowhere
ok names_a_base_that_is_not_there fails_with 3 '^tailor: nowhere'
finish
