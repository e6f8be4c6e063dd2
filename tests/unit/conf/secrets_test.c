// SPDX-License-Identifier: BSD-3-Clause
// Files that hold passwords, keys and secrets: refused ones, and that nothing of them is shown or
// left behind.
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// Must never appear in a message.
#define PLANTED "hunter2-planted"

static int setup(void **state)
{
	(void)state;
	support_write("good", PLANTED "\n", 0640);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

// Loads a configuration with the one mistake that is expected.
static void refuse(const char *text, const char *key, const char *says, const char *remedy)
{
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	char line[1024];

	assert_int_equal(support_load(CONF_FOR_CONTROL, text, &c, &errs), -EINVAL);
	for (size_t i = 0; i < errs.len; i++) {
		conf_error_format(&errs.items[i], line, sizeof(line));
		print_message("%s\n", line);
		assert_null(strstr(line, PLANTED));
	}
	assert_int_equal(errs.len, 1);
	assert_string_equal(errs.items[0].key, key);
	assert_int_equal(errs.items[0].line, 5);
	assert_non_null(strstr(errs.items[0].problem, says));
	assert_non_null(strstr(errs.items[0].remedy, remedy));
	conf_errors_fini(&errs);
}

static void secret_refuse(const char *says, const char *remedy)
{
	refuse(SUPPORT_BASE "secrets:\n  - {id: a, secret_file: secret}\n",
		"secrets[0].secret_file", says, remedy);
}

// Files whose line is not taken as it is.
static const struct {
	const char *text;
	unsigned mode;
	const char *says;
	const char *remedy;
} bad_files[] = {
	{PLANTED "\n", 0644, "is accessible to all users (mode 0644)", "chmod 0640"},
	{PLANTED "\n", 0642, "is accessible to all users", "chmod 0640"},
	{"", 0600, "is empty", "exactly one line"},
	{"\n", 0600, "is empty", "exactly one line"},
	{"\xef\xbb\xbf\n", 0600, "is empty", "exactly one line"},
	{PLANTED "\n" PLANTED "\n", 0600, "more than one line", "exactly one line"},
	{" " PLANTED, 0600, "begins with a blank", "remove"},
	{"\xef\xbb\xbf\t" PLANTED, 0600, "begins with a blank", "remove"},
	{"\xc2\xa0" PLANTED, 0600, "begins with a blank", "remove"},
	{PLANTED " \n", 0600, "ends with a blank", "remove"},
	{PLANTED "\t\r\n", 0600, "ends with a blank", "remove"},
	{PLANTED "\xc2\xa0", 0600, "ends with a blank", "remove"},
	{"\xff\xfe" PLANTED, 0600, "is UTF-16", "UTF-8"},
};

static void secret_files(void **state)
{
	char path[256], *big = malloc(5000);

	(void)state;
	secret_refuse("does not exist", "install -m 0640");
	for (size_t i = 0; i < TP_ARRAY_LEN(bad_files); i++) {
		support_write("secret", bad_files[i].text, bad_files[i].mode);
		secret_refuse(bad_files[i].says, bad_files[i].remedy);
	}
	assert_non_null(big);
	memset(big, 'x', 4999);
	big[4999] = '\0';
	support_write("secret", big, 0600);
	secret_refuse("larger than 4101", "another file");
	big[CONF_SECRET_MAX + 1] = '\0';
	support_write("secret", big, 0600);
	secret_refuse("is too long", "shorter");
	free(big);
	snprintf(path, sizeof(path), "%s/secret", support_directory());
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10); // a FIFO must not make it wait
	secret_refuse("is not a regular file", "name a file");
	alarm(0);
	assert_int_equal(unlink(path), 0);
}

// Root may read everything: somebody else tries.
static void unreadable_file(void **state)
{
	uid_t self = geteuid();

	(void)state;
	support_write("secret", PLANTED "\n", 0000);
	if (self == 0) {
		assert_int_equal(chmod(support_directory(), 0755), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	secret_refuse("may not be read", "readable by the user");
	assert_int_equal(seteuid(self), 0);
}

#define USERS SUPPORT_BASE "users:\n"

static void users_and_their_files(void **state)
{
	(void)state;
	refuse(USERS "  - {name: a}\n", "users[0]", "neither password nor key", "either");
	refuse(USERS "  - {name: a, password_file: good, key_file: good}\n", "users[0]",
		"a password and a key", "either");
	refuse(USERS "  - {name: a, key_file: good}\n", "users[0].key_file", "does not hold a key",
		"32 hexadecimal");
	support_write("key", "0123456789abcdef0123456789abcdeg", 0600);
	refuse(USERS "  - {name: a, key_file: key}\n", "users[0].key_file", "does not hold a key",
		"32 hexadecimal");
	support_write("typed", "a\tb", 0600);
	refuse(USERS "  - {name: a, password_file: typed}\n", "users[0].password_file",
		"contains control characters", "UTF-8");
}

#define SECRETS SUPPORT_BASE "secrets:\n"

static void secrets_have_times_and_digests(void **state)
{
	struct conf *c;

	(void)state;
	refuse(SECRETS "  - {id: a, secret_file: good, hmac: md5}\n", "secrets[0].hmac",
		"is not known here", "sha1 or sha256 or any");
	refuse(SECRETS "  - {id: a, secret_file: good, not_before: tomorrow}\n",
		"secrets[0].not_before", "is not a time in UTC", "2026-11-29");
	refuse(SECRETS "  - {id: a, secret_file: good, not_before: 2026-12-02, not_after: "
		       "2026-12-01T23:59:59Z}\n",
		"secrets[0].not_after", "ends before it begins", "later");
	refuse(SUPPORT_BASE "protocol:\n  credential_separator: \"::\"\nsecrets: [{id: a, "
			    "secret_file: good}]\n",
		"protocol.credential_separator", "can't stand between", "no digit");
	refuse(SUPPORT_BASE "protocol:\n  credential_separator: \"7\"\nsecrets: [{id: a, "
			    "secret_file: good}]\n",
		"protocol.credential_separator", "can't stand between", "no digit");
	c = support_load_good(CONF_FOR_CONTROL,
		SECRETS "  - {id: a, secret_file: good, hmac: any, not_before: 2026-11-29, "
			"not_after: 2026-11-29T07:20:01Z}\n"
			"  - {id: b, secret_file: good}\n"
			"protocol: {credential_separator: \"|\", end_with_credential: true}\n");
	assert_int_equal(c->secrets[0].hmac, CONF_HMAC_ANY);
	assert_true(c->secrets[0].not_before_s == 1795910400);
	assert_true(c->secrets[0].not_after_s == 1795936801);
	assert_int_equal(c->secrets[1].hmac, CONF_HMAC_SHA1);
	assert_true(c->secrets[1].not_after_s == 0);
	assert_string_equal(c->protocol.credential_separator, "|");
	assert_true(c->protocol.end_with_credential);
	conf_free(c);
}

#define TOKENS                                                                                     \
	"dataplane: {ports: [{interface: nic0}]}\n"                                                \
	"listeners: [{address: 10.77.0.1}]\n"                                                      \
	"tokens:\n  server_name: turn.example.org\n"

static void keys_of_tokens(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"MDEyMzQ1Njc4OWFiY2RlZg==", true}, // 16 bytes
		{"MDEyMzQ1Njc4OWFiY2RlZg", true},
		{"MDEyMzQ1Njc4OWFiY2RlZjA=", false}, // 17
		{"MDEyMzQ1Njc4OWFiY2RlZg=", false},
		{"MDEyMzQ1Njc4OWFiY2RlZ!==", false},
		{"=", false},
	};
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		support_write("key", rows[i].text, 0600);
		if (!rows[i].good) {
			refuse(TOKENS "  keys: [{id: n, key_file: key, algorithm: A128GCM}]\n",
				"tokens.keys[0].key_file", "does not hold a key", "openssl rand");
			continue;
		}
		c = support_load_good(CONF_FOR_CONTROL,
			TOKENS "  keys: [{id: n, key_file: key, algorithm: A128GCM}]\n");
		assert_int_equal(c->tokens.n_keys, 1);
		assert_memory_equal(c->tokens.keys[0].octets, "0123456789abcdef", 16);
		assert_string_equal(c->tokens.server_name, "turn.example.org");
		conf_free(c);
	}
}

static void same_user_twice(void **state)
{
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	char file[256];

	(void)state;
	support_write("users",
		"a:00000000000000000000000000000000\nb:00000000000000000000000000000000\n"
		"b:00000000000000000000000000000000\n",
		0600);
	assert_int_equal(
		support_load(CONF_FOR_CONTROL,
			USERS "  - {name: a, password_file: good}\n  - {name: a, password_file: "
			      "good}\nusers_file: users\n",
			&c, &errs),
		-EINVAL);
	snprintf(file, sizeof(file), "%s/users", support_directory());
	assert_int_equal(errs.len, 3);
	assert_int_equal(errs.items[0].line, 6);
	assert_string_equal(errs.items[0].key, "users[1]");
	assert_string_equal(errs.items[1].file, file);
	assert_int_equal(errs.items[1].line, 1);
	assert_string_equal(errs.items[2].file, file);
	assert_int_equal(errs.items[2].line, 3);
	assert_non_null(strstr(errs.items[2].problem, "user \"b\" is defined twice"));
	conf_errors_fini(&errs);
}

static void users_file_lines(void **state)
{
	static const struct {
		unsigned line;
		const char *says;
	} want[] = {{2, "name or key missing"}, {3, "is not a key"}, {4, "name or key missing"},
		{5, "too long or contains control"}, {6, "is not a key"},
		{7, "too long or contains control"}};
	static char text[2048];
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	char line[1024], name[600];

	(void)state;
	memset(name, 'n', 509);
	name[509] = '\0';
	snprintf(text, sizeof(text),
		"good:00000000000000000000000000000000\n" PLANTED "\nbob:" PLANTED
		"\n:00000000000000000000000000000000\n%s:00000000000000000000000000000000\n"
		"bob:0000000000000000000000000000000\n\x1b[1m:00000000000000000000000000000000\n",
		name);
	support_write("users", text, 0600);
	assert_int_equal(
		support_load(CONF_FOR_CONTROL, SUPPORT_BASE "users_file: users\n", &c, &errs),
		-EINVAL);
	assert_int_equal(errs.len, TP_ARRAY_LEN(want));
	for (size_t i = 0; i < errs.len; i++) {
		conf_error_format(&errs.items[i], line, sizeof(line));
		print_message("%s\n", line);
		assert_null(strstr(line, PLANTED));
		assert_int_equal(errs.items[i].line, want[i].line);
		assert_non_null(strstr(errs.items[i].problem, want[i].says));
	}
	conf_errors_fini(&errs);
	support_write("users", "a:00000000000000000000000000000000\n", 0644);
	assert_int_equal(
		support_load(CONF_FOR_CONTROL, SUPPORT_BASE "users_file: users\n", &c, &errs),
		-EINVAL);
	assert_int_equal(errs.len, 1);
	assert_non_null(strstr(errs.items[0].problem, "to all users"));
	conf_errors_fini(&errs);
}

static void users_file_of_many(void **state)
{
	size_t size = 4 << 20, len = 0;
	char *text = malloc(size);
	struct conf *c;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < 50000; i++)
		len += (size_t)snprintf(text + len, size - len, "user%u:%032x\n", i, i);
	support_write("users", text, 0600);
	c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE "users_file: users\n");
	assert_int_equal(c->n_users, 50000);
	assert_string_equal(c->users[49999].name, "user49999");
	assert_int_equal(c->users[49999].key[15], 49999 & 0xff);
	conf_free(c);
	free(text);
}

// Address sanitizers keep terabytes of writable shadow, and freed memory.
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
	__has_feature(thread_sanitizer)
#define MEMORY_IS_OURS 0
#endif
#elif defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS 0
#endif
#ifndef MEMORY_IS_OURS
#define MEMORY_IS_OURS 1
#endif

// Counts the text in all writable memory of this process.
static unsigned memory_count(const char *needle)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t len = strlen(needle);
	char line[512], perms[8];
	unsigned n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long low, high;

		if (sscanf(line, "%lx-%lx %7s", &low, &high, perms) != 3 || perms[0] != 'r' ||
			perms[1] != 'w')
			continue;
		for (const char *p = (const char *)low; p + len <= (const char *)high; p++) {
			p = memchr(p, needle[0], (size_t)((const char *)high - p) - len + 1);
			if (p == NULL)
				break;
			n += memcmp(p, needle, len) == 0;
		}
	}
	fclose(maps);
	return n;
}

// Whether the memory of `p` is left out of core dumps.
static bool memory_is_undumped(const void *p)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long low, high;

		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = low <= (unsigned long)p && (unsigned long)p < high;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(maps);
	return found;
}

// Clauses: 8656 6-2
static void secrets_are_kept_in_one_place(void **state)
{
	char needle[] = "quvagre2-cynagrq"; // turned by 13 below, so that it is nowhere else
	char path[256];
	struct conf *c;
	FILE *f;

	(void)state;
	if (!MEMORY_IS_OURS)
		skip();
	for (char *p = needle; *p != '\0'; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)('a' + (*p - 'a' + 13) % 26);
	}
	snprintf(path, sizeof(path), "%s/once", support_directory());
	f = fopen(path, "w");
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	fputs(needle, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(memory_count(needle), 1);
	c = support_load_good(CONF_FOR_CONTROL,
		SUPPORT_BASE "secrets:\n  - {id: a, secret_file: once}\n"
			     "users:\n  - {name: a, password_file: once}\n");
	assert_int_equal(memory_count(needle), 3);
	assert_true(memory_is_undumped(c->secrets[0].octets.data));
	assert_true(memory_is_undumped(c->users[0].password.data));
	assert_false(memory_is_undumped(path));
	conf_free(c);
	assert_int_equal(memory_count(needle), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret_files),
		cmocka_unit_test(unreadable_file),
		cmocka_unit_test(users_and_their_files),
		cmocka_unit_test(secrets_have_times_and_digests),
		cmocka_unit_test(keys_of_tokens),
		cmocka_unit_test(same_user_twice),
		cmocka_unit_test(users_file_lines),
		cmocka_unit_test(users_file_of_many),
		cmocka_unit_test(secrets_are_kept_in_one_place),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
