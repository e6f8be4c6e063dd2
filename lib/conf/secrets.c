// SPDX-License-Identifier: BSD-3-Clause
// Passwords, keys and secrets from the files that the configuration names. Their contents must
// never appear in a message.
#include "file.h"
#include "prepare.h"

#include <text/buf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A byte order mark, the secret, an end of line.
#define SECRET_FILE_MAX (CONF_SECRET_MAX + 5u)
#define USERS_FILE_MAX	((size_t)256 << 20)
#define KEY_LEN		16u

static const char *mode_remedy(struct conf_loader *load, const char *path)
{
	return conf_textf(load, "chmod 0640 %s", path);
}

// Reports a mistake about a file; `where` is the option that names it.
static void file_complain(
	struct conf_loader *load, const struct spot *where, const char *path, size_t max, int rc)
{
	const char *name = conf_quote(load, path);

	if (rc == -ENOENT)
		conf_complain(load, where,
			conf_textf(load,
				"create it: install -m 0640 /dev/null %s, then write one line",
				path),
			"file %s does not exist", name);
	else if (rc == -EACCES || rc == -EPERM)
		conf_complain(load, where,
			"make it and its directories readable by the user of the process",
			"%s may not be read", name);
	else if (rc == -EISDIR)
		conf_complain(load, where, "name a file", "%s is not a regular file", name);
	else if (rc == -EFBIG)
		conf_complain(
			load, where, "name another file", "%s is larger than %zu bytes", name, max);
	else if (rc == -ENOMEM)
		load->out_of_memory = true;
	else
		conf_complain(load, where, "name a file that can be read", "%s can't be read: %s",
			name, strerror(-rc));
}

static bool private_read(struct conf_loader *load, const struct spot *where, const char *path,
	size_t max, struct file_text *out)
{
	int rc = conf_file_read(&load->arena, path, max, out);

	if (rc < 0) {
		file_complain(load, where, path, max, rc);
		return false;
	}
	if ((out->st.st_mode & S_IRWXO) != 0) {
		conf_complain(load, where, mode_remedy(load, path),
			"%s is accessible to all users (mode %04o)", conf_quote(load, path),
			(unsigned)(out->st.st_mode & 07777));
		return false;
	}
	return true;
}

// Removes the byte order mark that some editors write.
static void mark_skip(struct file_text *file)
{
	if (file->len >= 3 && memcmp(file->data, "\xef\xbb\xbf", 3) == 0) {
		file->data += 3;
		file->len -= 3;
	}
}

// A blank that is not seen in an editor: space, tab, no-break space.
static bool blank_at_end(const char *s, size_t len)
{
	return len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t' ||
				  (len > 1 && memcmp(s + len - 2, "\xc2\xa0", 2) == 0));
}

static bool blank_at_start(const char *s, size_t len)
{
	return len > 0 &&
	       (s[0] == ' ' || s[0] == '\t' || (len > 1 && memcmp(s, "\xc2\xa0", 2) == 0));
}

// The mistake in the line of a secret, and its remedy; NULL if there is none.
static const char *line_mistake(const char *s, size_t len, const char **remedy)
{
	*remedy = "write exactly one line to it";
	if (len == 0)
		return "is empty";
	if (memchr(s, '\n', len) != NULL)
		return "has more than one line";
	*remedy = "save it as UTF-8";
	if (len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0))
		return "is UTF-16 text";
	*remedy = "remove the blanks";
	if (blank_at_start(s, len))
		return "begins with a blank";
	if (blank_at_end(s, len))
		return "ends with a blank";
	*remedy = "use a shorter one";
	return len > CONF_SECRET_MAX ? "is too long" : NULL;
}

// The one line of a file.
bool conf_line_load(struct conf_loader *load, const struct spot *where, const char *path,
	struct conf_octets *out)
{
	const char *mistake, *remedy;
	struct file_text file;
	size_t len;

	if (!private_read(load, where, path, SECRET_FILE_MAX, &file))
		return false;
	mark_skip(&file);
	len = file.len;
	if (len > 0 && file.data[len - 1] == '\n')
		len--;
	if (len > 0 && file.data[len - 1] == '\r')
		len--;
	mistake = line_mistake(file.data, len, &remedy);
	if (mistake != NULL) {
		conf_complain(load, where, remedy, "%s %s", conf_quote(load, path), mistake);
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

static void password_load(
	struct conf_loader *load, const char *const *path, struct conf_octets *out)
{
	const struct spot *where = conf_spot_of_value(load, path);
	struct conf_octets line;
	struct conf_fault fault;

	if (!conf_line_load(load, where, *path, &line))
		return;
	if (!text_is_printable((const char *)line.data, line.len))
		conf_complain(load, where, "write it as UTF-8 text",
			"the password in %s contains control characters or is not UTF-8",
			conf_quote(load, *path));
	else if (!conf_prepare(load, line, true, out, &fault) && fault.problem != NULL)
		conf_complain(load, where, fault.remedy, "the password in %s %s",
			conf_quote(load, *path), fault.problem);
	if (out->data != line.data)
		explicit_bzero((void *)(uintptr_t)line.data, line.len);
}

static void user_load(struct conf_loader *load, const struct draft_user *from, struct conf_user *to)
{
	const struct spot *where = conf_spot_of_struct(load, from);
	struct conf_octets text;

	if (where == NULL)
		return;
	to->name = from->name;
	if ((from->password_file != NULL) == (from->key_file != NULL)) {
		conf_complain(load, where, "give either password_file or key_file",
			from->key_file != NULL ? "has a password and a key"
					       : "has neither password nor key");
		return;
	}
	if (from->password_file != NULL) {
		password_load(load, &from->password_file, &to->password);
		return;
	}
	where = conf_spot_of_value(load, &from->key_file);
	if (!conf_line_load(load, where, from->key_file, &text))
		return;
	to->has_key = key_parse((const char *)text.data, text.len, to->key);
	if (!to->has_key)
		conf_complain(load, where,
			"write MD5(name:realm:password) as 32 hexadecimal digits",
			"%s does not hold a key", conf_quote(load, from->key_file));
}

// A name that is not prepared can't have a key that fits: clients send it prepared.
static bool users_name_check(
	struct conf_loader *load, const char *path, unsigned line, const char *name)
{
	const struct conf_octets in = {(const uint8_t *)name, strlen(name)};
	struct conf_octets out;
	struct conf_fault f;

	if (!conf_prepare(load, in, false, &out, &f)) {
		if (f.problem != NULL)
			conf_complain_in(load, path, line, f.remedy, "the name %s", f.problem);
		return false;
	}
	if (out.len == in.len && memcmp(out.data, in.data, in.len) == 0)
		return true;
	conf_complain_in(load, path, line,
		conf_textf(load, "write %s and make its key again",
			conf_quote(load, (const char *)out.data)),
		"the name is not as the OpaqueString profile has it");
	return false;
}

// Name, ':', key. The name ends at the last ':', since it may hold one itself.
static bool users_line_parse(
	struct conf_loader *load, const char *path, unsigned line, char *s, struct conf_user *to)
{
	char *colon = strrchr(s, ':');

	if (colon == NULL || colon == s) {
		conf_complain_in(load, path, line, "write name:key", "name or key missing");
		return false;
	}
	if (!key_parse(colon + 1, strlen(colon + 1), to->key)) {
		conf_complain_in(load, path, line,
			"write MD5(name:realm:password) as 32 hexadecimal digits",
			"the text after the last \":\" is not a key");
		return false;
	}
	*colon = '\0';
	if (blank_at_start(s, strlen(s)) || blank_at_end(s, strlen(s))) {
		conf_complain_in(load, path, line, "remove the blanks",
			"the name begins or ends with a blank");
		return false;
	}
	if (!text_is_printable(s, strlen(s)) || strlen(s) > USER_NAME_MAX) {
		conf_complain_in(load, path, line, "write up to 508 bytes of UTF-8 text",
			"the name is too long or contains control characters");
		return false;
	}
	to->name = s;
	to->has_key = true;
	return users_name_check(load, path, line, s);
}

// Splits the file's text in place: names are used where they stand.
static size_t users_lines_load(struct conf_loader *load, const char *path, struct file_text *file,
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
			conf_complain_in(load, path, line, "remove the NUL character",
				"contains a NUL character");
		else if (s[0] != '\0' && s[0] != '#' &&
			 users_line_parse(load, path, line, s, &users[n]))
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
static void users_check_names(struct conf_loader *load, const struct draft_credentials *d,
	const struct conf_user *users, size_t n, const unsigned *lines)
{
	struct named_user *named = conf_arena_array(&load->scratch, n, sizeof(*named));
	static const char remedy[] = "keep one of the two";
	size_t n_named = 0;

	if (named == NULL) {
		load->out_of_memory = true;
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
			conf_complain_in(load, d->users_file, lines[k], remedy,
				"user %s is defined twice", conf_quote(load, name));
		else
			conf_complain(load, conf_spot_of_struct(load, &d->users[k]), remedy,
				"user %s is defined twice", conf_quote(load, name));
	}
}

static void users_load(struct conf_loader *load, const struct draft_credentials *d,
	const struct conf_user **out, size_t *n_out)
{
	const struct spot *where = conf_spot_of_value(load, &d->users_file);
	struct file_text file = {.data = NULL};
	struct conf_user *users;
	unsigned *lines;
	size_t n = d->n_users;

	if (where != NULL && private_read(load, where, d->users_file, USERS_FILE_MAX, &file)) {
		mark_skip(&file);
		n += lines_count(&file);
	}
	users = conf_array(load, n, sizeof(*users));
	lines = conf_arena_array(&load->scratch, n, sizeof(*lines));
	if (users == NULL || lines == NULL) {
		load->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < d->n_users; i++)
		user_load(load, &d->users[i], &users[i]);
	n = d->n_users;
	if (file.data != NULL)
		n += users_lines_load(load, d->users_file, &file, users + n, lines + n);
	users_check_names(load, d, users, n, lines);
	*out = users;
	*n_out = n;
}

static void secrets_load(struct conf_loader *load, const struct draft_credentials *d,
	const struct conf_secret **out, size_t *n_out)
{
	struct conf_secret *secrets = conf_array(load, d->n_secrets, sizeof(*secrets));

	if (secrets == NULL)
		return;
	for (size_t i = 0; i < d->n_secrets; i++) {
		const struct draft_secret *from = &d->secrets[i];
		const struct spot *where = conf_spot_of_value(load, &from->secret_file);

		secrets[i].id = from->id;
		secrets[i].hmac = from->hmac;
		secrets[i].not_before_s = from->not_before_s;
		secrets[i].not_after_s = from->not_after_s;
		if (where != NULL)
			conf_line_load(load, where, from->secret_file, &secrets[i].octets);
	}
	*out = secrets;
	*n_out = d->n_secrets;
}

void conf_secrets_load(struct conf_loader *load)
{
	struct draft *d = load->draft;

	users_load(load, &d->own, &d->conf.users, &d->conf.n_users);
	secrets_load(load, &d->own, &d->conf.secrets, &d->conf.n_secrets);
	conf_tokens_load(load, &d->own.tokens, &d->conf.tokens);
	for (size_t i = 0; i < d->n_realms; i++) {
		struct draft_realm *r = &d->realms[i];

		users_load(load, &r->own, &r->conf.users, &r->conf.n_users);
		secrets_load(load, &r->own, &r->conf.secrets, &r->conf.n_secrets);
		conf_tokens_load(load, &r->own.tokens, &r->conf.tokens);
	}
}
