// SPDX-License-Identifier: BSD-3-Clause
// SQLite in coturn's schema: turnusers_lt(realm, name, hmackey), turn_secret(realm, value) and
// oauth_key(kid, ikm_key, timestamp, lifetime, as_rs_alg, realm).
#include <source/source.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

struct sqlite {
	struct source base;
	sqlite3 *db; // NULL: not open
	sqlite3_stmt *find;
	struct stat st; // of the open file
};

static struct source *sqlite_open(const struct conf_source *conf)
{
	struct sqlite *s = calloc(1, sizeof(*s));

	(void)conf;
	return s != NULL ? &s->base : NULL;
}

static void sqlite_shut(struct sqlite *s)
{
	sqlite3_finalize(s->find);
	sqlite3_close(s->db);
	s->find = NULL;
	s->db = NULL;
}

static void sqlite_close(struct source *base)
{
	struct sqlite *s = (struct sqlite *)base;

	sqlite_shut(s);
	free(s);
}

static bool sqlite_failed(struct sqlite *s, int rc, struct source_answer *a)
{
	source_fail(a, true, "%s: %s", s->base.conf->path,
		s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
	sqlite_shut(s);
	return false;
}

// Opens the file at the first question, and again where another file has its name.
static bool sqlite_ready(struct sqlite *s, struct source_answer *a)
{
	static const char text[] = "SELECT hmackey FROM turnusers_lt WHERE name = ? AND realm = ?";
	const struct conf_source *conf = s->base.conf;
	struct stat st;
	int rc;

	if (stat(conf->path, &st) < 0) {
		sqlite_shut(s);
		source_fail(a, true, "%s: %s", conf->path, strerror(errno));
		return false;
	}
	if (s->db != NULL && (st.st_ino != s->st.st_ino || st.st_dev != s->st.st_dev))
		sqlite_shut(s);
	if (s->db != NULL)
		return true;
	s->st = st;
	rc = sqlite3_open_v2(conf->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(s->db, (int)conf->timeout_ms);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(s->db, text, sizeof(text), &s->find, NULL);
	return rc == SQLITE_OK || sqlite_failed(s, rc, a);
}

static void sqlite_ask(
	struct source *base, const struct source_question *q, struct source_answer *a)
{
	struct sqlite *s = (struct sqlite *)base;
	int rc;

	if (!source_by_name(q, a) || !sqlite_ready(s, a))
		return;
	rc = sqlite3_bind_text(s->find, 1, (const char *)q->name, (int)q->name_len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s->find, 2, q->realm, (int)q->realm_len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s->find);
	if (rc == SQLITE_ROW) {
		const unsigned char *hex = sqlite3_column_text(s->find, 0);

		source_found_hex(a, (const char *)hex,
			hex != NULL ? (size_t)sqlite3_column_bytes(s->find, 0) : 0);
	} else if (rc == SQLITE_DONE) {
		a->status = TP_LOOKUP_UNKNOWN;
	} else {
		(void)sqlite_failed(s, rc, a);
		return;
	}
	sqlite3_reset(s->find);
	sqlite3_clear_bindings(s->find);
}

static struct source_text column(sqlite3_stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(st, i);

	return (struct source_text){
		(const char *)s, s != NULL ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

static void secret_row(sqlite3_stmt *st, struct tp_lookup_keys *keys)
{
	source_secret_add(keys, column(st, 0));
}

static void token_row(sqlite3_stmt *st, struct tp_lookup_keys *keys)
{
	const struct source_token_row row = {
		.id = column(st, 0),
		.key = column(st, 1),
		.timestamp = column(st, 2),
		.lifetime = column(st, 3),
		.algorithm = column(st, 4),
	};

	source_token_key_add(keys, &row);
}

// Seldom asked, so that the statement is not kept.
static bool rows_read(struct sqlite *s, const struct source_question *q, const char *text,
	void (*row)(sqlite3_stmt *st, struct tp_lookup_keys *keys), struct tp_lookup_keys *keys,
	struct source_answer *a)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, q->realm, (int)q->realm_len, SQLITE_STATIC);
	if (rc == SQLITE_OK) {
		while ((rc = sqlite3_step(st)) == SQLITE_ROW)
			row(st, keys);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE || sqlite_failed(s, rc, a);
}

static void sqlite_keys(struct source *base, const struct source_question *q,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	static const char secrets[] = "SELECT value FROM turn_secret WHERE realm = ?";
	static const char tokens[] =
		"SELECT kid, ikm_key, timestamp, lifetime, as_rs_alg FROM oauth_key WHERE "
		"realm = ? OR realm = '' OR realm IS NULL";
	struct sqlite *s = (struct sqlite *)base;

	if (!sqlite_ready(s, a))
		return;
	if ((q->wanted & TP_LOOKUP_SECRETS) != 0 && !rows_read(s, q, secrets, secret_row, keys, a))
		return;
	if ((q->wanted & TP_LOOKUP_TOKEN_KEYS) != 0 && !rows_read(s, q, tokens, token_row, keys, a))
		return;
	a->status = TP_LOOKUP_FOUND;
}

const struct source_kind source_sqlite = {sqlite_open, sqlite_ask, sqlite_keys, sqlite_close};
