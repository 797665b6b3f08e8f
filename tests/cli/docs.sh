# The manual page and the completion script are what the tables say, and work.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/support/tap.sh"

run help --man
ok manual_is_up_to_date cmp -s out "$top/man/tailor.1"
ok manual_names_every_command eval 'for c in demo inspect compare rank update train pretrain evaluate predict chat runs show resume doctor help; do grep -q "^.fB$c" out || exit 1; done'
run help --completion
ok completion_is_up_to_date cmp -s out "$top/completion/tailor"
ok completion_is_a_script bash -n out

complete() { # WORDS...: the completion of the last one
    bash -c '. ./out; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tailor; printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
}
ok completes_commands eval '[ "$(complete tailor comp)" = compare ]'
ok completes_options eval 'complete tailor compare --bu | grep -qx -- --budget'
ok completes_only_what_applies eval '! complete tailor evaluate --bu | grep -q budget'
ok routes_page_names_every_route eval 'for r in $(complete tailor train --route ""); do grep -q "^| \`$r\` |" "$top/docs/routes.md" || { echo "# $r"; exit 1; }; done'
ok completes_routes eval 'complete tailor train --route scr | grep -qx scratch'
ok completes_choices eval 'complete tailor evaluate --split te | grep -qx test'
ok completes_help eval 'complete tailor help eval | grep -qx evaluate'

# Every test that docs/field.md names is there.
missing=0
for name in $(grep -oE '`(test|cli)-[a-z_-]+/[A-Za-z0-9_]+`' "$top/docs/field.md" | tr -d '`'); do
    program=${name%/*} test=${name#*/}
    case $program in
    cli-*) file=$top/tests/cli/${program#cli-}.sh ;;
    *) file=${program#test-}; file=$top/tests/${file/-//}.c ;;
    esac
    grep -qE "(^|[^A-Za-z0-9_])$test" "$file" 2>/dev/null || { echo "# no $name"; missing=$((missing + 1)); }
done
ok field_names_tests_that_are_there test $missing -eq 0
ok field_has_every_requirement eval 'for i in $(seq 28); do grep -q "^| R$i |" "$top/docs/field.md" || { echo "# R$i"; exit 1; }; done'
finish
