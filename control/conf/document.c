// SPDX-License-Identifier: BSD-3-Clause
// From a file or a text to libyaml's nodes.
#include "file.h"
#include "reader.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

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

static void syntax_complain(struct reader *r, const yaml_parser_t *p, const char *text, size_t len)
{
	const char *problem = p->problem != NULL ? p->problem : "it can't be read";
	struct spot where = {.key = ""};

	if (p->error == YAML_MEMORY_ERROR) {
		r->out_of_memory = true;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		where.line = line_of(text, len, p->problem_offset);
		reader_complain(r, &where, "save the file as UTF-8 text without control characters",
			"not a text: %s", problem);
		return;
	}
	where.line = (unsigned)p->problem_mark.line + 1;
	if (strchr(problem, '\t') != NULL || strstr(problem, "cannot start any token") != NULL)
		reader_complain(r, &where,
			"indent with blanks, not tabs, and quote values that begin with one of "
			"@ ` % & * ! |",
			"not YAML: %s", problem);
	else if (p->context != NULL)
		reader_complain(r, &where, FORM, "not YAML: %s %s (from line %u)", problem,
			p->context, (unsigned)p->context_mark.line + 1);
	else
		reader_complain(r, &where, FORM, "not YAML: %s", problem);
}

// The first document, and that there is no second one.
static int text_load(struct reader *r, const char *text, size_t len, yaml_document_t *doc)
{
	const yaml_node_t *more;
	yaml_document_t next;
	yaml_parser_t parser;
	int rc = -EINVAL;

	if (yaml_parser_initialize(&parser) == 0) {
		r->out_of_memory = true;
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, doc) == 0) {
		syntax_complain(r, &parser, text, len);
		goto out_parser;
	}
	if (yaml_parser_load(&parser, &next) == 0) {
		syntax_complain(r, &parser, text, len);
		yaml_document_delete(doc);
		goto out_parser;
	}
	more = yaml_document_get_root_node(&next);
	if (more != NULL) {
		struct spot where = {.line = (unsigned)next.start_mark.line + 1};

		reader_complain(r, &where, "keep one document per file: remove the line \"---\"",
			"a second YAML document begins here");
	}
	yaml_document_delete(&next);
	rc = 0;
out_parser:
	yaml_parser_delete(&parser);
	return rc;
}

int reader_document_load(struct reader *r, const char *path, const char *text, yaml_document_t *doc)
{
	struct file_text file;
	int rc;

	if (path == NULL)
		return text_load(r, text, strlen(text), doc);
	rc = file_read(&r->scratch, path, FILE_MAX, &file);
	if (rc == -EISDIR)
		reader_complain(r, NULL, "name a file with --config", "is no regular file");
	else if (rc == -EFBIG)
		reader_complain(r, NULL, "move users to users_file", "is larger than 1 MiB");
	else if (rc == -ENOENT)
		reader_complain(r, NULL,
			"name another with --config, or begin with the example "
			"docs/turnpike.yaml",
			"there is no such file");
	else if (rc < 0)
		reader_complain(r, NULL, "let the process's user read it", "can't be read: %s",
			strerror(-rc));
	if (rc < 0)
		return rc;
	if ((file.st.st_mode & S_IWOTH) != 0)
		reader_warn(r, NULL, "chmod o-w", "anybody may write to it");
	return text_load(r, file.data, file.len, doc);
}
