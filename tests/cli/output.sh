# What goes where: JSON alone on stdout, progress on stderr, colour only where wanted.
. "$(dirname "$0")/../support/tap.sh"

run doctor --json
ok json_is_json eval 'is_status 0 && [ "$(head -c 1 out)" = "{" ] && [ "$(tail -n 1 out)" = "}" ]'
run doctor
ok doctor_says_cpu_and_memory eval 'is_status 0 && prints "^cpu" && prints "^memory" && prints "^instruction set" && prints "^peak f32 +[1-9]" && prints "oneDNN [0-9]"'
run doctor --quiet
ok quiet_is_silent_on_stderr eval 'is_status 0 && [ ! -s err ]'
run doctor --json --quiet --threads 1
ok threads_are_taken eval 'is_status 0 && prints "\"threads\": 1\b"'
NO_COLOR=1 CLICOLOR_FORCE=1 run help
ok no_color_rules eval '! grep -q $'"'\\033'"' out'
CLICOLOR_FORCE=1 run help
ok forced_colour eval 'grep -q $'"'\\033'"' out'
run help
ok no_colour_in_a_pipe eval '! grep -q $'"'\\033'"' out'
if [ -w /dev/full ]; then
    "$TAILOR" help >/dev/full 2>err; status=$?
    ok full_stdout_is_an_error eval 'is_status 4 && says "^tailor: stdout: "'
else skip full_stdout_is_an_error "no /dev/full here"; fi
"$TAILOR" help --man 2>err | head -n 1 >out
ok closed_pipe_is_quiet eval '[ ! -s err ]'
run runs
ok no_runs_yet eval 'is_status 0 && prints "no runs"'
run runs --json
ok no_runs_yet_as_json eval 'is_status 0 && [ "$(tr -d "\n " <out)" = "[]" ]'
OMP_NUM_THREADS=1 run doctor --json
ok omp_num_threads_is_a_cap eval 'prints "\"threads\": 1\b"'
finish
