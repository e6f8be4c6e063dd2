// SPDX-License-Identifier: BSD-3-Clause
#include "pages.h"

#include <ctype.h>
#include <string.h>

#include <ctl/command.h>
#include <turnpike/base.h>
#include <turnpike/ctl.h>
#include <turnpike/segment.h>

static const struct {
	const char *option;
	const char *text;
} options[] = {
	{"-j, --json", "print JSON"},
	{"-t, --tsv", "print tab-separated values"},
	{"-s, --socket PATH", "the operator socket, or its directory"},
	{"--config FILE", "the configuration whose relay is meant"},
	{"--instance NAME", "the instance; default: $TURNPIKE_INSTANCE, else \"default\""},
	{"-n, --count COUNT", "top: so often, then end; trace start, capture: packets (-c too)"},
	{"-w, --write FILE", "capture: the file, made with mode 0600; default: standard output"},
	{"-f, --file FILE", "run the commands of a file, one a line; - is standard input"},
	{"-e, --stop-on-error", "with -f: stop at the first command that fails"},
	{"-x, --echo", "with -f: print each command before its result"},
	{"--help, --version", "print this, or the version"},
	{"--man, --completion", "print the manual page, or bash's completion"},
};

static const struct {
	int code;
	const char *text;
} exits[] = {
	{0, "done"},
	{1, "refused: the message says why and what to do"},
	{2, "usage: no such command, or its arguments are wrong"},
	{3, "the control process is not there, or does not answer"},
};

// Upper case: the word stands for another.
static void name_print(FILE *out, const char *name)
{
	fputc(' ', out);
	for (; *name != '\0'; name++)
		fputc(toupper((unsigned char)*name), out);
}

static void arguments_print(FILE *out, const struct ctl_command *c)
{
	for (size_t i = 0; i < c->n_arguments; i++) {
		const struct ctl_argument *a = &c->arguments[i];

		if (a->required)
			name_print(out, a->name);
		else if (a->type == CTL_ARGUMENT_FLAG)
			fprintf(out, " [--%s]", a->name);
		else if (a->values != NULL)
			fprintf(out, " [%s]", a->values);
		else
			fprintf(out, " [%s %s]", a->name,
				a->type == CTL_ARGUMENT_NUMBER ? "NUMBER" : "TEXT");
	}
}

static int command_width(const struct ctl_command *c)
{
	char buf[256];
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	long width;

	if (f == NULL)
		return 0;
	fputs(c->name, f);
	arguments_print(f, c);
	width = ftell(f);
	fclose(f);
	return (int)width;
}

void rctl_page_help(FILE *out)
{
	fputs("usage: relayctl [OPTION...] [NOUN VERB [ARGUMENT...]]\n\n"
	      "Asks a running relay how it is, and tells it what to do. Without a command: "
	      "status.\n\n"
	      "commands:\n",
		out);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const struct ctl_command *c = ctl_command_at(i);
		int width = command_width(c);

		fprintf(out, "  %s", c->name);
		arguments_print(out, c);
		// Beyond the column the text goes on a line of its own.
		if (width > 36)
			fprintf(out, "\n  %38s%s\n", "", c->text);
		else
			fprintf(out, "%*s%s\n", 38 - width, "", c->text);
		for (size_t k = 0; k < c->n_arguments; k++)
			fprintf(out, "  %40s%s: %s\n", "", c->arguments[k].name,
				c->arguments[k].text);
	}
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < TP_ARRAY_LEN(options); i++)
		fprintf(out, "  %-22s %s\n", options[i].option, options[i].text);
	fputs("\nexit codes:\n", out);
	for (size_t i = 0; i < TP_ARRAY_LEN(exits); i++)
		fprintf(out, "  %d  %s\n", exits[i].code, exits[i].text);
}

void rctl_page_version(FILE *out)
{
	fprintf(out, "relayctl %s (segment layout %u, control protocol %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION, TP_CTL_VERSION);
}

// A leading dot or a backslash or a dash means something to roff.
static void roff_print(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else
			fputc(*s, out);
	}
}

void rctl_page_man(FILE *out)
{
	fprintf(out,
		".TH RELAYCTL 1 \"\" \"Turnpike %s\" \"Turnpike\"\n"
		".SH NAME\nrelayctl \\- ask and steer a running Turnpike relay\n"
		".SH SYNOPSIS\n.B relayctl\n[OPTION...] [NOUN VERB [ARGUMENT...]]\n"
		".SH DESCRIPTION\nAsks a running relay how it is, and tells it what to do. Without "
		"a command it shows the status: the verdict, then each warning with the command to "
		"type next.\n.SH COMMANDS\n",
		TURNPIKE_VERSION);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const struct ctl_command *c = ctl_command_at(i);

		fprintf(out, ".TP\n.B %s\n", c->name);
		roff_print(out, c->text);
		fputs(".\n", out);
		for (size_t k = 0; k < c->n_arguments; k++) {
			fprintf(out, ".RS\n.TP\n.I %s\n", c->arguments[k].name);
			roff_print(out, c->arguments[k].text);
			fputs("\n.RE\n", out);
		}
	}
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; i < TP_ARRAY_LEN(options); i++) {
		fputs(".TP\n.B ", out);
		roff_print(out, options[i].option);
		fputc('\n', out);
		roff_print(out, options[i].text);
		fputc('\n', out);
	}
	fputs(".SH EXIT STATUS\n", out);
	for (size_t i = 0; i < TP_ARRAY_LEN(exits); i++) {
		fprintf(out, ".TP\n.B %d\n", exits[i].code);
		roff_print(out, exits[i].text);
		fputc('\n', out);
	}
	fputs(".SH ENVIRONMENT\n.TP\n.B TURNPIKE_INSTANCE\nthe instance, where no option names "
	      "one\n.SH SEE ALSO\n.BR turnpike\\-control (8)\n",
		out);
}

static bool noun_is_new(size_t i, size_t len)
{
	const char *name = ctl_command_at(i)->name;

	for (size_t k = 0; k < i; k++) {
		const char *other = ctl_command_at(k)->name;

		if (strcspn(other, " ") == len && memcmp(other, name, len) == 0)
			return false;
	}
	return true;
}

static void verbs_print(FILE *out, const char *noun, size_t len)
{
	fprintf(out, "\t%.*s) words=\"", (int)len, noun);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const char *name = ctl_command_at(i)->name;

		if (strcspn(name, " ") == len && memcmp(name, noun, len) == 0 && name[len] == ' ')
			fprintf(out, "%s ", name + len + 1);
	}
	fputs("\" ;;\n", out);
}

static void arguments_complete(FILE *out, const struct ctl_command *c)
{
	if (c->n_arguments == 0)
		return;
	fprintf(out, "\t\"%s\") words=\"", c->name);
	for (size_t i = 0; i < c->n_arguments; i++) {
		const struct ctl_argument *a = &c->arguments[i];

		if (!a->required)
			fprintf(out, "%s ", a->name);
		for (const char *v = a->values; v != NULL && *v != '\0'; v++)
			fputc(*v == '|' ? ' ' : *v, out);
		fputs(a->values == NULL ? "" : " ", out);
	}
	fputs("\" ;;\n", out);
}

void rctl_page_completion(FILE *out)
{
	fputs("# bash completion for relayctl: written by relayctl --completion\n"
	      "_relayctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words= first= second= i skip=\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-s|-f|-i|--socket|--file|--instance|--config) skip=1 ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) if [[ -z $first ]]; then first=${COMP_WORDS[i]};"
	      " elif [[ -z $second ]]; then second=${COMP_WORDS[i]}; fi ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tif [[ -n $skip ]]; then COMPREPLY=($(compgen -f -- \"$cur\")); return; fi\n"
	      "\tif [[ -n $second ]]; then case \"$first $second\" in\n",
		out);
	for (size_t i = 0; i < ctl_command_count(); i++)
		arguments_complete(out, ctl_command_at(i));
	fputs("\tesac; elif [[ -n $first ]]; then case $first in\n", out);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const char *name = ctl_command_at(i)->name;
		size_t len = strcspn(name, " ");

		if (name[len] == ' ' && noun_is_new(i, len))
			verbs_print(out, name, len);
	}
	fputs("\tesac; else words=\"", out);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const char *name = ctl_command_at(i)->name;
		size_t len = strcspn(name, " ");

		if (noun_is_new(i, len))
			fprintf(out, "%.*s ", (int)len, name);
	}
	fputs("--json --tsv --socket --instance --config --file --help --version\"; fi\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\t[[ \"$first $second\" == \"config check\" ]] &&"
	      " COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
	      "}\ncomplete -F _relayctl relayctl\n",
		out);
}
