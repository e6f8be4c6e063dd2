// SPDX-License-Identifier: BSD-3-Clause
// The YAML document: from a file or a text to nodes, within bounds.
#include "file.h"
#include "loader.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX       ((size_t)1 << 20)
#define DEPTH_MAX      16u
#define ANCHORS_MAX    64u
#define DIRECTIVES_MAX 16u

#define FORM                                                                                       \
	"YAML indents with blanks, separates key and value by \": \", and begins each entry of "   \
	"a list with \"- \""

static unsigned line_of(const char *text, size_t len, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static void syntax_complain(
	struct conf_loader *load, const yaml_parser_t *p, const char *text, size_t len)
{
	const char *problem = p->problem != NULL ? p->problem : "it can't be read";
	struct spot where = {.key = ""};

	if (p->error == YAML_MEMORY_ERROR) {
		load->out_of_memory = true;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		where.line = line_of(text, len, p->problem_offset);
		conf_complain(load, &where,
			"save the file as UTF-8 text without control characters",
			"not UTF-8 text: %s", problem);
		return;
	}
	where.line = (unsigned)p->problem_mark.line + 1;
	if (strchr(problem, '\t') != NULL || strstr(problem, "cannot start any token") != NULL)
		conf_complain(load, &where,
			"indent with blanks, not tabs, and quote values that begin with one of "
			"@ ` % & * ! |",
			"not YAML: %s", problem);
	else if (p->context != NULL)
		conf_complain(load, &where, FORM, "not YAML: %s %s (from line %u)", problem,
			p->context, (unsigned)p->context_mark.line + 1);
	else
		conf_complain(load, &where, FORM, "not YAML: %s", problem);
}

// Some passes of libyaml are quadratic in the depth of nesting, in the number of anchors and in the
// number of directives: a small hostile file would keep the process busy for minutes.
struct bounds {
	unsigned depth;
	unsigned anchors;
	unsigned documents;
};

static unsigned directives_count(const char *text)
{
	unsigned n = 0;

	for (const char *s = text; s != NULL; s = strchr(s, '\n')) {
		s += *s == '\n';
		n += *s == '%';
	}
	return n;
}

static const yaml_char_t *anchor_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

// Whether the document may go on after this event; if not, the mistake is noted.
static bool event_check(struct conf_loader *load, const yaml_event_t *e, struct bounds *b)
{
	struct spot where = {.key = "", .line = (unsigned)e->start_mark.line + 1};

	b->anchors += anchor_of(e) != NULL;
	b->documents += e->type == YAML_DOCUMENT_START_EVENT;
	if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT)
		b->depth++;
	else if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT)
		b->depth--;
	if (b->depth > DEPTH_MAX)
		conf_complain(load, &where, "remove the surplus brackets or indentation",
			"nested deeper than %u levels", DEPTH_MAX);
	else if (b->anchors > ANCHORS_MAX)
		conf_complain(load, &where, "write the values out",
			"has more than %u anchors (&NAME)", ANCHORS_MAX);
	else if (b->documents > 1)
		conf_complain(load, &where, "keep one document per file: remove the line \"---\"",
			"a second YAML document begins here");
	else
		return true;
	return false;
}

// Whether the text is one YAML document within the bounds; if not, the mistake is noted.
static bool text_check(
	struct conf_loader *load, const char *text, size_t len, yaml_parser_t *parser)
{
	struct bounds b = {0};
	bool good, end = false;

	if (directives_count(text) > DIRECTIVES_MAX) {
		conf_complain(load, NULL, "remove the lines that begin with %",
			"has more than %u directives", DIRECTIVES_MAX);
		return false;
	}
	yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
	do {
		yaml_event_t e;

		if (yaml_parser_parse(parser, &e) == 0) {
			syntax_complain(load, parser, text, len);
			return false;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		good = event_check(load, &e, &b);
		yaml_event_delete(&e);
	} while (good && !end);
	return good;
}

static int text_load(struct conf_loader *load, const char *text, size_t len, yaml_document_t *doc)
{
	yaml_parser_t parser;
	int rc = -EINVAL;

	if (yaml_parser_initialize(&parser) == 0) {
		load->out_of_memory = true;
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, doc) != 0)
		rc = 0;
	else
		syntax_complain(load, &parser, text, len);
	yaml_parser_delete(&parser);
	return rc;
}

static int text_take(struct conf_loader *load, const char *text, size_t len, yaml_document_t *doc)
{
	yaml_parser_t parser;
	bool good;

	if (yaml_parser_initialize(&parser) == 0) {
		load->out_of_memory = true;
		return -ENOMEM;
	}
	good = text_check(load, text, len, &parser);
	yaml_parser_delete(&parser);
	return good ? text_load(load, text, len, doc) : -EINVAL;
}

int conf_document_load(
	struct conf_loader *load, const char *path, const char *text, yaml_document_t *doc)
{
	struct file_text file;
	int rc;

	if (path == NULL)
		return text_take(load, text, strlen(text), doc);
	rc = conf_file_read(&load->scratch, path, FILE_MAX, &file);
	if (rc == -EISDIR)
		conf_complain(load, NULL, "name a file with --config", "is not a regular file");
	else if (rc == -EFBIG)
		conf_complain(load, NULL, "move users to users_file", "is larger than 1 MiB");
	else if (rc == -ENOENT)
		conf_complain(load, NULL,
			"name another with --config, or begin with the example "
			"docs/turnpike.yaml",
			"does not exist");
	else if (rc < 0)
		conf_complain(load, NULL, "make it readable by the user of the process",
			"can't be read: %s", strerror(-rc));
	if (rc < 0)
		return rc;
	if ((file.st.st_mode & S_IWOTH) != 0)
		conf_warn(load, NULL, "chmod o-w", "anybody may write to it");
	return text_take(load, file.data, file.len, doc);
}
