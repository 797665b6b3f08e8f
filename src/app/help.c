/* help.c -- help, manual page and completion, all from the tables of commands and options.
 * Floor 5, app.  Source of the page's form: man-pages(7), groff_man(7). */
#include "app/app.h"

#include <stdio.h>
#include <string.h>

static const char one_line[] =
    "which way of training suits your data: a verdict with numbers that can be trusted";

static void print_option(const tl_term *term, const tl_option *o)
{
    static const char indent[] =
        "                            "; /* as wide as two and the name */
    const int         wide     = (int)sizeof indent - 3;
    char              name[96];

    snprintf(name, sizeof name, "%s%c%s--%s%s%s", o->letter ? "-" : "", o->letter
             ? o->letter : ' ',
             o->letter ? ", " : "   ", o->name, o->placeholder ? " " : "",
             o->placeholder ? o->placeholder : "");
    printf("  %s%-*s%s", tl_term_out(term, TL_BOLD), wide, name, tl_term_out(term, TL_PLAIN));
    if ((int)strlen(name) >= wide) printf("\n%s", indent);
    tl_term_wrap(term, indent, true, o->help);
}

static const struct { const char *word, *meaning; } operands[] = {
    { "DATA", "a folder with a folder of pictures for each class; pictures with a CSV of "
              "file,label; a CSV, TSV, JSONL or Parquet file of a table or of texts with "
              "labels; a text file for each class; IDX or CIFAR files" },
    { "CORPUS", "plain text: a .txt file, a CSV, TSV, JSONL or Parquet file of texts, or a "
                "folder of them" },
    { "MODEL", "best/ of an earlier run, a folder from Hugging Face, or a weight file "
               "(.safetensors, .pth, .pt, .bin)" },
    { "INPUT", "pictures or folders of them; of tables and texts files with rows like those "
               "trained on; `-`: paths, rows or texts, a line each, from stdin" },
};

/* What the words of a usage line stand for, those that `usage` holds. */
static void print_operands(const tl_term *term, const char *usage)
{
    for (size_t i = 0; i < TL_COUNT(operands); i++) {
        if (!strstr(usage, operands[i].word)) continue;
        printf("  %s%-6s%s ", tl_term_out(term, TL_BOLD), operands[i].word,
               tl_term_out(term, TL_PLAIN));
        tl_term_wrap(term, "         ", true, operands[i].meaning);
    }
}

void tl_help_overview(const tl_app *app)
{
    const tl_term    *term = &app->term;
    const tl_command *c;

    printf("tailor %s: ", tailor_version());
    tl_term_wrap(term, "  ", true, one_line);
    puts("\nUsage: tailor COMMAND [OPERANDS] [OPTIONS]\n\nCommands:");
    for (size_t i = 0; (c = tl_command_at(i)); i++) {
        printf("  %s%-9s%s ", tl_term_out(term, TL_BOLD), c->name,
               tl_term_out(term, TL_PLAIN));
        tl_term_wrap(term, "            ", true, c->doc);
    }
    puts("\nFirst steps:\n"
         "  tailor demo                         see what it does, no data needed\n"
         "  tailor inspect DATA                 what is in your data, and what is wrong with it\n"
         "  tailor compare DATA --base MODEL    your verdict; without --base: from scratch only\n");
    print_operands(term, "DATA MODEL");
    puts("\n`tailor help COMMAND` has the options and an example.");
}

/* Options of one group that apply to the command; `heading` is printed before the first. */
static void print_group(const tl_term *term, tl_command_id id, const char *group)
{
    const tl_option *o;
    bool             any = false;

    for (size_t i = 0; (o = tl_option_at(i)); i++) {
        if (strcmp(o->group, group) != 0 || !tl_option_applies(o, id)) continue;
        if (!any) printf("\n%s:\n", group);
        any = true;
        print_option(term, o);
    }
}

static void print_known(const tl_term *term, const char *title, const char *kind)
{
    const char *name, *doc;

    printf("\n%s:\n", title);
    for (size_t i = 0; (name = tailor_known(kind, i, &doc)); i++) {
        printf("  %-10s ", name);
        tl_term_wrap(term, "             ", true, doc ? doc : "");
    }
}

void tl_help_command(const tl_app *app, tl_command_id id)
{
    static const char *const groups[] = { "Question", "Data", "Writing", "Training", "Common" };
    const tl_command        *c        = tl_command_at(id);

    printf("tailor %s: %s.\n\nUsage: tailor %s %s%s[OPTIONS]\nExample: %s\n", c->name,
           c->doc, c->name,
           c->operands, *c->operands ? " " : "", c->example);
    print_operands(&app->term, c->operands);
    for (size_t g = 0; g < TL_COUNT(groups); g++) print_group(&app->term, id, groups[g]);
    if (id == TL_CMD_compare || id == TL_CMD_train) print_known(&app->term, "Routes", "route");
    if (id == TL_CMD_update) print_known(&app->term, "What is tried (--routes)", "update");
}

/* Text into roff: a backslash and a leading dot or quote would be read as requests. */
static void roff(const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '-') fputs("\\-", stdout);
        else if (*text == '\\') fputs("\\e", stdout);
        else putchar(*text);
    }
}

static void roff_options(void)
{
    const tl_option  *o;
    const tl_command *c;

    for (size_t i = 0; (o = tl_option_at(i)); i++) {
        size_t takes = 0, n = 0;
        fputs(".TP\n\\fB", stdout);
        if (o->letter) printf("\\-%c\\fR, \\fB", o->letter);
        roff("--"), roff(o->name);
        fputs("\\fR", stdout);
        if (o->placeholder) fputs(" \\fI", stdout), roff(o->placeholder), fputs("\\fR", stdout);
        putchar('\n');
        roff(o->help);
        for (size_t k = 0; tl_command_at(k); k++)
            takes += tl_option_applies(o, (tl_command_id)k);
        if (takes == TL_COMMANDS) {
            putchar('\n');
            continue;
        }
        fputs(" (", stdout);
        for (size_t k = 0; (c = tl_command_at(k)); k++)
            if (tl_option_applies(o, (tl_command_id)k))
                printf("%s%s", n++ ? ", " : "", c->name);
        puts(")");
    }
}

static void roff_known(const char *title, const char *kind)
{
    const char *name, *doc;

    printf(".SH %s\n", title);
    for (size_t i = 0; (name = tailor_known(kind, i, &doc)); i++) {
        fputs(".TP\n\\fB", stdout), roff(name), fputs("\\fR\n", stdout);
        roff(doc ? doc : ""), putchar('\n');
    }
}

void tl_help_man(void)
{
    const tl_command *c;

    printf(".\\\" Made by `tailor help --man`: change src/app/*.def, then make it again.\n"
           ".TH TAILOR 1 \"\" \"tailor %s\" \"User Commands\"\n.SH NAME\ntailor \\- ",
           tailor_version());
    roff(one_line);
    puts("\n.SH SYNOPSIS\n.B tailor\n.I COMMAND\n[\\fIOPERANDS\\fR] [\\fIOPTIONS\\fR]\n"
         ".SH DESCRIPTION\n"
         "Given pictures, texts or a table, none or some pretrained networks and a budget, Tailor\n"
         "trains by several routes (from scratch, on frozen features, fine\\-tuned), says which\n"
         "one to take, how sure that is and what it costs, and leaves the winning model on\n"
         "disk.\n.SH COMMANDS");
    for (size_t i = 0; (c = tl_command_at(i)); i++) {
        printf(".TP\n\\fB%s\\fR \\fI", c->name);
        roff(c->operands), fputs("\\fR\n", stdout);
        roff(c->doc), fputs(".\n.br\nExample: ", stdout);
        roff(c->example), putchar('\n');
    }
    puts(".SH OPERANDS");
    for (size_t i = 0; i < TL_COUNT(operands); i++) {
        printf(".TP\n\\fI%s\\fR\n", operands[i].word);
        roff(operands[i].meaning), putchar('\n');
    }
    puts(".SH OPTIONS\nOptions may stand before or after operands.");
    roff_options();
    roff_known("ROUTES", "route");
    roff_known("ROUTES OF UPDATE", "update");
    puts(".SH EXIT STATUS\n"
         "0 done; 1 failed; 2 wrong usage; 3 bad data or model file; 4 not enough memory, disk\n"
         "or budget; 130 interrupted (\\fBtailor resume\\fR continues).\n"
         ".SH ENVIRONMENT\n"
         "\\fBTAILOR_NAME\\fR gives an option (TAILOR_BATCH_SIZE=32) below the command line and\n"
         "above \\fB\\-\\-config\\fR.  \\fBNO_COLOR\\fR turns colour off.\n"
         "\\fBOMP_NUM_THREADS\\fR caps the threads.\n"
         ".SH FILES\n"
         "\\fItailor\\-runs/NAME\\-N\\fR holds verdict.json, report.html, best/, runs.db,\n"
         "events/ and checkpoints/.");
}

static void print_words(tl_command_id id)
{
    const tl_option *o;

    for (size_t i = 0; (o = tl_option_at(i)); i++)
        if (tl_option_applies(o, id)) printf(" --%s", o->name);
}

static void print_names(const char *kind)
{
    const char *name;

    for (size_t i = 0; (name = tailor_known(kind, i, NULL)); i++)
        printf("%s%s", i ? " " : "", name);
}

static bool is_route(const char *name)
{
    const char *route;

    for (size_t i = 0; (route = tailor_known("route", i, NULL)); i++)
        if (strcmp(route, name) == 0) return true;
    return false;
}

void tl_help_completion(void)
{
    const tl_command *c;
    const tl_option  *o;
    const char       *name;

    puts("# bash completion for tailor, made by `tailor help --completion`.\n"
         "_tailor()\n{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= i\n"
         "    local command=\n"
         "    COMPREPLY=()\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
         "    done\n"
         "    case $before in");
    for (size_t i = 0; (o = tl_option_at(i)); i++) {
        if (o->kind != TL_KIND_CHOICE) continue;
        printf("        --%s) options='", o->name);
        for (const char *at = o->placeholder; *at; at++) putchar(*at == '|' ? ' ' : *at);
        puts("' ;;");
    }
    fputs("        --route) options='", stdout);
    print_names("route");
    fputs("' ;;\n        --routes) options='", stdout);
    print_names("route");
    for (size_t i = 0; (name = tailor_known("update", i, NULL)); i++)
        if (!is_route(name)) printf(" %s", name);
    puts("' ;;\n    esac\n"
         "    if [[ $options ]]; then\n"
         "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
         "        return\n"
         "    fi\n"
         "    case $command in");
    fputs("        '') options='", stdout);
    for (size_t i = 0; (c = tl_command_at(i)); i++) printf("%s%s", i ? " " : "", c->name);
    puts(" --version --help' ;;");
    for (size_t i = 0; (c = tl_command_at(i)); i++) {
        printf("        %s) options='", c->name);
        if (i == TL_CMD_help)
            for (size_t k = 0; tl_command_at(k); k++) printf(" %s", tl_command_at(k)->name);
        print_words((tl_command_id)i);
        puts("' ;;");
    }
    puts("    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\"\n"
         "                             compgen -f -- \"$word\")\n"
         "}\n"
         "complete -o filenames -F _tailor tailor");
}

tl_status tl_cmd_help(tl_app *app)
{
    if (tl_args_given(&app->args, TL_OPT_man)) tl_help_man();
    else if (tl_args_given(&app->args, TL_OPT_completion)) tl_help_completion();
    else if (!app->args.operands) tl_help_overview(app);
    else {
        const tl_command *c;
        const tl_status   rc = tl_command_named(&app->ctx, app->args.operand[0], &c);
        if (rc != TL_OK) return rc;
        tl_help_command(app, (tl_command_id)(c - tl_command_at(0)));
    }
    return TL_OK;
}
