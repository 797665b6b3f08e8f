# Tables from the command line: inspect, train, evaluate, predict, compare; classes and numbers; what
# was fitted travels with the model.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2

# rows FIRST LAST KIND: x decides, colour shifts, day and note are there; a gap now and then.
rows() {
    awk -v first="$1" -v last="$2" -v kind="$3" 'BEGIN {
        split("red green blue", colour, " ")
        print "id,x,colour,day,note,y"
        for (i = first; i <= last; i++) {
            x = (i * 37 % 101) / 10 - 5; c = i * 7 % 3
            printf "%d,%s,%s,2024-%02d-%02d,%s,", i, i % 19 == 3 ? "NA" : x, colour[c + 1],
                1 + i % 12, 1 + i % 28, "words " i
            if (kind == "numbers") printf "%.3f\n", 3 * x + 10 * c + (i * 13 % 7) / 10
            else print (x + 2 * c > 2 ? "high" : "low")
        }
    }'
}
rows 1 700 classes >classes.csv
rows 1 700 numbers >numbers.csv
rows 701 720 numbers | cut -d, -f2-5 >new.csv
rows 701 720 numbers | sed 's/,/;/g' | awk -F';' -v OFS=';' '{ print $4, $3, $2 }' >turned.csv
value() { tr -d '\n ' <"${2:-out}" | grep -oE "\"$1\":(\{\"(value|mean)\":)?[-0-9.e]+" | head -n 1 | grep -oE '[-0-9.e]+$'; }
between() { awk -v v="$(value "$1")" -v a="$2" -v b="$3" 'BEGIN { exit !(v >= a && v <= b) }'; }

# Semicolons between the fields, commas in the numbers.
printf 'name;size;weight;kind\n' >comma.csv
awk 'BEGIN { for (i = 1; i <= 60; i++) printf "a, b;%d,%d;-1.%03d,5;%s\n", i % 7, i % 10, i, (i % 7 > 3 ? "big" : "small") }' >>comma.csv
run inspect comma.csv
ok decimal_commas_are_read eval 'is_status 0 && prints "^ +size +number +.* 0\.[0-9]+ to 6\.[0-9]+," && prints "^ +weight +number +.*-1060\.5 to -1001\.5,"'
run inspect classes.csv
ok inspect_says_the_target eval 'is_status 0 && prints "target +y .its name says so." && prints "task +table-classification"'
ok inspect_leaves_out_ids_and_notes eval 'prints "^ +id +left out" && prints "^ +note +left out" && prints "^ +day +date" && prints "^ +colour +category"'
run inspect numbers.csv
ok inspect_of_numbers eval 'is_status 0 && prints "task +table-regression" && prints "mean [-0-9.]+, sd [0-9.]+"'

run train classes.csv --arch mlp:32 --epochs 25 --out c
ok train_of_classes eval 'is_status 0 && [ -s c/best/tailor.json ] && prints "NEW-ROWS.csv"'
run evaluate c/best classes.csv --json
ok evaluate_of_classes eval 'is_status 0 && prints "\"split\": \"test\"" && between accuracy 0.85 1 && between roc_auc 0.9 1'
# The labels are the model's: a class that is missing or comes first elsewhere changes none.
(head -n 1 classes.csv; grep ',high$' classes.csv | tail -n 60) >one.csv
run predict c/best one.csv
said=$(grep -cE '^[^[]*"label":"high"' out)
run evaluate c/best one.csv --split all --json
ok labels_are_the_models eval 'is_status 0 && [ "$said" -gt 30 ] && awk -v v="$(value accuracy)" -v s="$said" "BEGIN { exit !((v - s / 60)^2 < 1e-12) }"'
run train numbers.csv --arch mlp:64 --epochs 40 --out n
ok train_of_numbers is_status 0
run evaluate n/best numbers.csv --json
ok evaluate_of_numbers eval 'is_status 0 && between rmse 0 4 && between r2 0.85 1'
ok evaluate_of_numbers_has_intervals eval 'tr -d "\n " <out | grep -qE "\"rmse\":\{\"value\":[0-9.]+,\"ci95\":\[[0-9.]+,[0-9.]+\]"'

run predict n/best new.csv
ok predict_a_line_a_row eval 'is_status 0 && [ "$(wc -l <out)" -eq 20 ] && prints "^\{\"input\":\"new.csv:2\",\"value\":[-0-9.]+\}$"'
sed 's/.*"value"/"value"/' out >by_name
run predict n/best turned.csv
ok predict_columns_by_name_in_any_order eval 'is_status 0 && sed "s/.*\"value\"/\"value\"/" out | cmp -s - by_name'
"$TAILOR" predict n/best - <new.csv >out 2>err; status=$?
ok predict_rows_from_stdin eval 'is_status 0 && sed "s/.*\"value\"/\"value\"/" out | cmp -s - by_name && prints "^\{\"input\":\"stdin:2\","'
printf 'new.csv\n' | "$TAILOR" predict n/best - >out 2>err; status=$?
ok predict_tables_named_on_stdin eval 'is_status 0 && sed "s/.*\"value\"/\"value\"/" out | cmp -s - by_name'
head -n 1 new.csv | "$TAILOR" predict n/best - >out 2>err; status=$?
ok predict_a_header_alone eval 'is_status 3 && one_line && silent'
(cat new.csv; echo "many,red,2024-01-01,x") | "$TAILOR" predict n/best - >out 2>err; status=$?
ok predict_goes_on_after_a_bad_row eval 'is_status 3 && [ "$(wc -l <out)" -eq 21 ] && prints "stdin:22.*\"error\"" && one_line'
printf 'x,colour,day\n1.5,purple,2031-01-01\n,,\n' >odd.csv
run predict n/best odd.csv
ok predict_new_levels_and_gaps eval 'is_status 0 && [ "$(grep -c "\"value\"" out)" -eq 2 ] && ! prints "null|nan"'
mkdir moved && cp -r n/best moved/model && rm -r n && run predict moved/model new.csv
ok what_was_fitted_travels eval 'is_status 0 && sed "s/.*\"value\"/\"value\"/" out | cmp -s - by_name'

run train numbers.csv --arch table_resnet:2x32 --epochs 20 --out t
ok residual_network_of_numbers is_status 0
run evaluate t/best numbers.csv --json
ok residual_network_learns eval 'is_status 0 && between r2 0.85 1'
run train numbers.csv --arch mlp --route baseline --out b
ok trees_of_numbers is_status 0
run evaluate b/best numbers.csv --json
ok trees_learn eval 'is_status 0 && between r2 0.9 1'
for route in partial gradual full probe lp-ft; do
    run train numbers.csv --route $route --base moved/model --epochs 2 --out "r-$route"
    ok "${route}_takes_numbers" is_status 0
done
run train numbers.csv --route distill --base moved/model --epochs 2 --out r-distill
ok distill_refuses_numbers fails_with 2 "the target is a number"
run train numbers.csv --route self --arch mlp --out s
ok self_refuses_tables fails_with 2 'only pictures can be masked'

run compare numbers.csv --arch mlp:32 --routes baseline,scratch --epochs 10 --seeds 3 --budget 4m --out study
ok compare_of_numbers eval 'is_status 0 && grep -q "rmse on test rows" out && grep -q "gradient-boosted trees" out'
ok verdict_of_numbers eval 'grep -q "\"metric\": \"rmse\"" study/verdict.json && grep -q "\"higher_is_better\": false" study/verdict.json'
"$TAILOR" show study --json 2>err | tr -d '\n ' | grep -oE '"winner":.*"runner_up"' >winner
run evaluate study/best numbers.csv --json
ok best_scores_what_the_verdict_says eval '[ -n "$(value test winner)" ] && awk -v a="$(value rmse)" -v b="$(value test winner)" "BEGIN { exit !(a - b < 1e-9 && b - a < 1e-9) }"'
run predict study/best new.csv
ok best_predicts_new_rows eval 'is_status 0 && [ "$(wc -l <out)" -eq 20 ]'
run compare numbers.csv --epochs 6 --seeds 3 --budget 4m --out both
ok compare_tries_both_networks eval 'is_status 0 && grep -q "scratch of mlp" out && grep -q "scratch of table-resnet" out && [ "$(grep -c "\"route\": \"scratch\"" both/verdict.json)" -ge 2 ]'
run compare numbers.csv --dry-run
ok plan_has_both_networks eval 'is_status 0 && [ "$(grep -c "^ *scratch" out)" -eq 2 ]'

# A category of many levels becomes an embedding, in both networks.
awk 'BEGIN { srand(5); print "city,size,rent"
    for (i = 0; i < 900; i++) { c = int(rand() * 40); s = rand() * 4
        printf "city%02d,%.3f,%.3f\n", c, s, (c * 7) % 11 + s + rand() / 4 } }' >cities.csv
for arch in mlp table-resnet; do
    run train cities.csv --target rent --arch $arch --epochs 15 --out "cities-$arch"
    ok "many_levels_are_embedded_by_$arch" eval 'is_status 0 && tr -d "\n " <cities-$arch/best/config.json | grep -q "\"levels\":\[0,41,13\]" && grep -aq embeddings.0.weight cities-$arch/best/model.safetensors'
    run evaluate "cities-$arch/best" cities.csv --json
    ok "embeddings_learn_in_$arch" eval 'is_status 0 && awk -v r="$(tr -d "\n " <out | grep -oE "\"r2\":.\"value\":-?[0-9.]+" | grep -oE "[0-9.-]+$")" "BEGIN { exit !(r > 0.8) }"'
done
finish
