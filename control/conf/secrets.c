// SPDX-License-Identifier: BSD-3-Clause
// Passwords, keys and secrets from the files that the configuration names. What is in them is never
// part of a message.
#include "file.h"
#include "reader.h"

#include <text/buf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX     4096u
#define USERS_FILE_MAX ((size_t)256 << 20)
#define KEY_LEN	       16u

static const char *mode_remedy(struct reader *r, const char *path)
{
	return reader_textf(r, "chmod 0640 %s", path);
}

// Tells what is wrong with a file; `where` is the option that names it.
static void file_complain(
	struct reader *r, const struct spot *where, const char *path, size_t max, int rc)
{
	const char *name = reader_quote(r, path);

	if (rc == -ENOENT)
		reader_complain(r, where,
			reader_textf(r,
				"make it: install -m 0640 /dev/null %s, then write one line", path),
			"there is no file %s", name);
	else if (rc == -EACCES || rc == -EPERM)
		reader_complain(r, where,
			"make it and its directories readable for the user of turnpike-control",
			"%s may not be read", name);
	else if (rc == -EISDIR)
		reader_complain(r, where, "name a file", "%s is no regular file", name);
	else if (rc == -EFBIG)
		reader_complain(
			r, where, "name another file", "%s is larger than %zu octets", name, max);
	else if (rc == -ENOMEM)
		r->out_of_memory = true;
	else
		reader_complain(r, where, "name a file that can be read", "%s can't be read: %s",
			name, strerror(-rc));
}

static bool private_read(struct reader *r, const struct spot *where, const char *path, size_t max,
	struct file_text *out)
{
	int rc = file_read(&r->arena, path, max, out);

	if (rc < 0) {
		file_complain(r, where, path, max, rc);
		return false;
	}
	if ((out->st.st_mode & S_IRWXO) != 0) {
		reader_complain(r, where, mode_remedy(r, path),
			"%s may be read or written by everybody (mode %04o)", reader_quote(r, path),
			(unsigned)(out->st.st_mode & 07777));
		return false;
	}
	return true;
}

// The one line of a file.
static bool line_load(
	struct reader *r, const struct spot *where, const char *path, struct conf_octets *out)
{
	struct file_text file;
	size_t len;

	if (!private_read(r, where, path, SECRET_MAX, &file))
		return false;
	len = file.len;
	if (len > 0 && file.data[len - 1] == '\n')
		len--;
	if (len > 0 && file.data[len - 1] == '\r')
		len--;
	if (len == 0 || memchr(file.data, '\n', len) != NULL) {
		reader_complain(r, where, "write exactly one line to it", "%s %s",
			reader_quote(r, path), len == 0 ? "is empty" : "has more than one line");
		return false;
	}
	*out = (struct conf_octets){(const uint8_t *)file.data, len};
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static bool key_parse(const char *s, size_t len, uint8_t key[KEY_LEN])
{
	if (len != 2 * KEY_LEN)
		return false;
	for (size_t i = 0; i < KEY_LEN; i++) {
		int high = hex_digit(s[2 * i]), low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void user_load(struct reader *r, const struct draft_user *from, struct conf_user *to)
{
	const struct spot *where = reader_find_struct(r, from);
	struct conf_octets text;

	if (where == NULL)
		return;
	to->name = from->name;
	if ((from->password_file != NULL) == (from->key_file != NULL)) {
		reader_complain(r, where, "give either password_file or key_file",
			from->key_file != NULL ? "has a password and a key"
					       : "has neither password nor key");
		return;
	}
	if (from->password_file != NULL) {
		where = reader_find_value(r, &from->password_file);
		if (!line_load(r, where, from->password_file, &to->password))
			return;
		if (!text_is_printable((const char *)to->password.data, to->password.len))
			reader_complain(r, where, "write it as UTF-8 text",
				"the password in %s holds characters that can't be typed",
				reader_quote(r, from->password_file));
		return;
	}
	where = reader_find_value(r, &from->key_file);
	if (!line_load(r, where, from->key_file, &text))
		return;
	to->has_key = key_parse((const char *)text.data, text.len, to->key);
	if (!to->has_key)
		reader_complain(r, where, "write MD5(name:realm:password) as 32 hexadecimal digits",
			"what is in %s is no key", reader_quote(r, from->key_file));
}

// Name, ':', key. The name ends at the last ':', since it may hold one itself.
static bool users_line_parse(
	struct reader *r, const char *path, unsigned line, char *s, struct conf_user *to)
{
	char *colon = strrchr(s, ':');

	if (colon == NULL || colon == s) {
		reader_complain_in(r, path, line, "write name:key", "no name and key");
		return false;
	}
	if (!key_parse(colon + 1, strlen(colon + 1), to->key)) {
		reader_complain_in(r, path, line,
			"write MD5(name:realm:password) as 32 hexadecimal digits",
			"what is behind the last \":\" is no key");
		return false;
	}
	*colon = '\0';
	if (!text_is_printable(s, strlen(s)) || strlen(s) > USER_NAME_MAX) {
		reader_complain_in(r, path, line, "write up to 508 octets of UTF-8 text",
			"the name is too long or can't be shown");
		return false;
	}
	to->name = s;
	to->has_key = true;
	return true;
}

// Splits the file's text in place: names are used where they stand.
static size_t users_lines_load(struct reader *r, const char *path, struct file_text *file,
	struct conf_user *users, unsigned *lines)
{
	char *s = file->data, *end = file->data + file->len;
	unsigned line = 0;
	size_t n = 0;

	while (s < end) {
		char *stop = memchr(s, '\n', (size_t)(end - s));
		char *next = stop != NULL ? stop + 1 : end;

		line++;
		if (stop == NULL)
			stop = end;
		if (stop > s && stop[-1] == '\r')
			stop--;
		*stop = '\0';
		if (memchr(s, '\0', (size_t)(stop - s)) != NULL)
			reader_complain_in(
				r, path, line, "remove the NUL character", "holds a NUL character");
		else if (s[0] != '\0' && s[0] != '#' &&
			 users_line_parse(r, path, line, s, &users[n]))
			lines[n++] = line;
		s = next;
	}
	return n;
}

static size_t lines_count(const struct file_text *file)
{
	size_t n = 1;

	for (size_t i = 0; i < file->len; i++)
		n += file->data[i] == '\n';
	return n;
}

struct named_user {
	const char *name;
	size_t index;
};

static int named_user_compare(const void *a, const void *b)
{
	const struct named_user *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : x->index < y->index ? -1 : 1;
}

// `lines` has the line in users_file, 0 for a user of the configuration itself.
static void users_check_names(
	struct reader *r, const struct conf_user *users, size_t n, const unsigned *lines)
{
	struct named_user *named = arena_array(&r->scratch, n, sizeof(*named));
	static const char remedy[] = "keep one of the two";
	size_t n_named = 0;

	if (named == NULL) {
		r->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (users[i].name != NULL)
			named[n_named++] = (struct named_user){users[i].name, i};
	}
	if (n_named > 0)
		qsort(named, n_named, sizeof(*named), named_user_compare);
	for (size_t i = 1; i < n_named; i++) {
		size_t k = named[i].index;
		const char *name = named[i].name;

		if (strcmp(named[i - 1].name, name) != 0)
			continue;
		if (lines[k] > 0)
			reader_complain_in(r, r->draft->users_file, lines[k], remedy,
				"the user %s is there a second time", reader_quote(r, name));
		else
			reader_complain(r, reader_find_struct(r, &r->draft->users[k]), remedy,
				"the user %s is there a second time", reader_quote(r, name));
	}
}

static void users_load(struct reader *r)
{
	const struct draft *d = r->draft;
	const struct spot *where = reader_find_value(r, &d->users_file);
	struct file_text file = {.data = NULL};
	struct conf_user *users;
	unsigned *lines;
	size_t n = d->n_users;

	if (where != NULL && private_read(r, where, d->users_file, USERS_FILE_MAX, &file))
		n += lines_count(&file);
	users = reader_array(r, n, sizeof(*users));
	lines = arena_array(&r->scratch, n, sizeof(*lines));
	if (users == NULL || lines == NULL) {
		r->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < d->n_users; i++)
		user_load(r, &d->users[i], &users[i]);
	n = d->n_users;
	if (file.data != NULL)
		n += users_lines_load(r, d->users_file, &file, users + n, lines + n);
	users_check_names(r, users, n, lines);
	r->draft->conf.users = users;
	r->draft->conf.n_users = n;
}

static void secrets_load(struct reader *r)
{
	const struct draft *d = r->draft;
	struct conf_secret *secrets = reader_array(r, d->n_secrets, sizeof(*secrets));

	if (secrets == NULL)
		return;
	for (size_t i = 0; i < d->n_secrets; i++) {
		const struct draft_secret *from = &d->secrets[i];
		const struct spot *where = reader_find_value(r, &from->secret_file);

		secrets[i].id = from->id;
		if (where != NULL)
			line_load(r, where, from->secret_file, &secrets[i].octets);
	}
	r->draft->conf.secrets = secrets;
	r->draft->conf.n_secrets = d->n_secrets;
}

void reader_secrets_load(struct reader *r)
{
	users_load(r);
	secrets_load(r);
}
