# Parquet files give what the same rows as CSV or JSON lines give: the same weights to the bit, for
# tables, texts, several labels, plain text and conversations; what is wrong is told.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2
golden=$(cd "$OLDPWD" && cd "$(dirname "$0")/../golden/parquet" && pwd)
cp "$golden"/same/* .
same() { cmp -s "$1/best/model.safetensors" "$2/best/model.safetensors"; }

run inspect table.csv --json
grep -vE 'sha256|path|table\.' out >csv
run inspect table.parquet --json
ok inspect_says_the_same eval 'is_status 0 && grep -vE "sha256|path|table\." out | cmp -s - csv'
run inspect table.parquet
ok columns_are_what_they_are eval 'prints "^ +x +number" && prints "^ +colour +category" && prints "^ +day +date" && prints "^ +price +number" && prints "^ +when +date|^ +when +left out"'
for kind in csv parquet; do run train table.$kind --arch mlp:16 --epochs 4 --out t-$kind; done
ok a_table_gives_the_same_weights eval 'is_status 0 && same t-csv t-parquet'
run evaluate t-parquet/best table.csv --json
cp out csv
run evaluate t-csv/best table.parquet --json
ok and_the_same_scores eval 'is_status 0 && [ "$(grep -A3 "\"accuracy\"" out)" = "$(grep -A3 "\"accuracy\"" csv)" ] && grep -q accuracy out'
run predict t-csv/best table.csv
sed 's/"input":"[^"]*",//' out >csv
run predict t-csv/best table.parquet
ok predict_says_the_same_by_row eval 'is_status 0 && sed "s/\"input\":\"[^\"]*\",//" out | cmp -s - csv && prints "^\{\"input\":\"table.parquet:300\","'

for kind in jsonl parquet; do run train texts.$kind --route baseline --out x-$kind --json; done
ok texts_give_the_same_weights eval 'is_status 0 && same x-jsonl x-parquet'
for kind in jsonl parquet; do run train tagged.$kind --route baseline --out l-$kind --json; done
ok lists_are_several_labels eval 'is_status 0 && same l-jsonl l-parquet && says "labels: labels|label: labels"'
for kind in jsonl parquet; do run pretrain texts.$kind --arch gpt2:1x64 --vocab 300 --block 64 --steps 6 --out p-$kind; done
ok plain_text_gives_the_same_weights eval 'is_status 0 && same p-jsonl p-parquet'
for kind in jsonl parquet; do run train talks.$kind --base p-jsonl/best --epochs 1 --out c-$kind; done
ok conversations_give_the_same_weights eval 'is_status 0 && same c-jsonl c-parquet && says "conversations \(messages\)"'

# As the hub lays them out: several files a part.
mkdir hub && cp texts.parquet hub/train-00000-of-00002.parquet && cp texts.parquet hub/train-00001-of-00002.parquet
cp texts.parquet hub/test-00000-of-00001.parquet
run inspect hub
ok shards_are_joined eval 'is_status 0 && prints "720 texts in 2 classes"'

run inspect "$golden/refused-brotli.parquet"
ok a_codec_is_refused_by_name fails_with 3 'refused-brotli.parquet@4: column "x" is packed by brotli.*\(write'
head -c 3000 table.parquet >cut.parquet
run train cut.parquet --arch mlp
ok a_cut_file_is_told fails_with 3 'cut.parquet@2996: .*cut short'
run train talks.parquet --arch mlp
ok conversations_want_a_language_model fails_with 2 'conversations are for a language model'
finish
