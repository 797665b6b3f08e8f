# Language models that write: predicted from lines and rows, talked to with and without a chat
# template; what is wrong is told.
. "$(dirname "$0")/../support/tap.sh"
corpus="$(dirname "$0")/../fuzz/corpus"
[ "${corpus#/}" = "$corpus" ] && corpus="$OLDPWD/$corpus"
export TAILOR_THREADS=2

# nine tokens, two layers: it writes nonsense, but always the same
mkdir m && cp "$corpus/llama2c_weights/shared.bin" m/tiny.bin && cp "$corpus/llama2c/small.bin" m/tok9.bin
run predict m - --max-tokens 6 </dev/null
ok nothing_in_nothing_out eval 'is_status 0 && silent'
printf 'ab\nab ab\n' >lines.txt
run predict m lines.txt --max-tokens 6
cp out first
ok predict_continues_lines eval 'is_status 0 && [ "$(wc -l <out)" -eq 2 ] && prints "^\{\"input\":\"lines.txt:1\",\"output\":\"" && prints "\"tokens\":[1-6],\"finish\":\"(length|stop)\"\}"'
"$TAILOR" predict m - --max-tokens 6 <lines.txt >out 2>err; status=$?
ok predict_continues_stdin eval 'is_status 0 && [ "$(sed "s/.*output/output/" out)" = "$(sed "s/.*output/output/" first)" ]'
sed 's/$/\r/' lines.txt | "$TAILOR" predict m - --max-tokens 6 >out 2>err; status=$?
ok predict_takes_lines_of_windows eval 'is_status 0 && [ "$(sed "s/.*output/output/" out)" = "$(sed "s/.*output/output/" first)" ] && ! grep -q "\\\\r" out'
printf 'text\nab\n' >rows.csv
run predict m rows.csv --max-tokens 6
ok predict_continues_rows eval 'is_status 0 && [ "$(sed "s/.*output/output/" out)" = "$(sed -n 1p first | sed "s/.*output/output/")" ]'
run predict m lines.txt --max-tokens 6 --temperature 3 --seed 1; cp out one
run predict m lines.txt --max-tokens 6 --temperature 3 --seed 1
ok a_seed_gives_the_same_text cmp -s out one
different() { for seed in 2 3 4 5; do run predict m lines.txt --max-tokens 6 --temperature 3 --seed $seed; cmp -s out one || return 0; done; return 1; }
ok another_seed_another_text different
run predict m lines.txt --temperature 3 --top-k 1 --max-tokens 6
ok top_1_is_greedy cmp -s out first

run chat m --prompt ab --max-tokens 6 --temperature 0
ok chat_continues eval 'is_status 0 && says "no chat template" && [ "$(wc -l <out)" -ge 1 ]'
text=$(cat out)
printf 'ab' | "$TAILOR" chat m --max-tokens 6 --temperature 0 >out 2>err; status=$?
ok chat_answers_stdin eval 'is_status 0 && [ "$(cat out)" = "$text" ]'
run chat m --prompt ab --max-tokens 6 --temperature 0 --json
ok chat_as_json eval 'is_status 0 && prints "\"input\": \"ab\"" && prints "\"prompt_tokens\": [0-9]+" && prints "\"finish\": "'
cat >m/tokenizer_config.json <<'END'
{"bos_token": "<s>", "eos_token": {"content": "</s>"},
 "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{% if messages[0].role == 'system' and messages|length == 1 %}{{ raise_exception('say something') }}{% endif %}"}
END
run chat m --prompt ab --max-tokens 6 --temperature 0 --json
ok a_template_is_used eval 'is_status 0 && ! says "no chat template" >/dev/null && prints "\"prompt_tokens\": 2"'
run chat m --system "a" --prompt b --max-tokens 6 --temperature 0 --json
ok with_a_system_message eval 'is_status 0 && prints "\"prompt_tokens\": [23]"'
echo '{{ messages[0].content' >m/chat_template.jinja
run chat m --prompt ab
ok a_bad_template_is_told fails_with 3 'chat_template.jinja:1: a tag does not end'
rm m/chat_template.jinja m/tokenizer_config.json
run chat m --system x --prompt ab
ok no_system_without_a_template fails_with 2 'has no chat template'
run chat m --prompt "$(printf 'ab %.0s' $(seq 60))"
ok a_prompt_that_is_too_long_is_told eval 'is_status 4 && says "tokens leave no room"'
run chat m --prompt ab --top-p 7
ok bad_settings_are_told fails_with 2 '--top-p: 7 is not within 0 and 1'
run chat m --prompt "$(printf 'a\377b')"
ok a_message_that_is_no_text eval 'is_status 2 || is_status 0'
printf '' | "$TAILOR" chat m >out 2>err; status=$?
ok an_empty_message_is_told fails_with 3 'stdin: holds no message'
cp "$corpus/llama2c_weights/later.bin" m/tiny.bin
run chat m --prompt ab
ok a_later_version_is_told fails_with 3 "is llama2.c's version 1 \(export it with --version 0\)"
head -c 900 "$corpus/llama2c_weights/shared.bin" >m/tiny.bin
run chat m --prompt ab
ok a_cut_checkpoint_is_told fails_with 3 'tiny.bin@900: cut short|m@900: cut short'
{ cat "$corpus/llama2c_weights/shared.bin"; echo more; } >m/tiny.bin
run chat m --prompt ab
ok a_longer_checkpoint_is_told fails_with 3 '5 bytes belong to no tensor'
cp "$corpus/llama2c_weights/apart.bin" m/tiny.bin
run chat m --prompt ab
ok a_tokenizer_of_another_model_is_told fails_with 3 'are not those of its network'
mkdir texts && printf 'a fine day\n' >texts/good.txt && printf 'a bad day\n' >texts/bad.txt
run chat nothing --prompt ab
ok no_model_is_told is_status 3

if [ -n "${TAILOR_DATA:-}" ]; then
    run chat "$TAILOR_DATA/weights/tinyllamas" --prompt "Once upon a time, there was" --temperature 0 --max-tokens 40
    ok stories_are_told eval 'is_status 0 && prints "a little girl named Lily"'
    run predict "$TAILOR_DATA/weights/tinyllamas/stories260K.bin" - --stop Lily </dev/null
    ok stories_from_the_bare_file is_status 0
else
    skip stories_are_told 'the shared data is absent'
    skip stories_from_the_bare_file 'the shared data is absent'
fi
finish
