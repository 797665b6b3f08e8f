# The manual page and the completion script are what the tables say, and work.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/support/tap.sh"

run help --man
ok manual_is_up_to_date cmp -s out "$top/man/tailor.1"
ok manual_names_every_command eval 'for c in demo inspect compare rank train evaluate predict runs show resume doctor help; do grep -q "^.fB$c" out || exit 1; done'
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
finish
