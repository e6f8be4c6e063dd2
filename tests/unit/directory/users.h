// SPDX-License-Identifier: BSD-3-Clause
// Databases for tests: coturn's tables with a few users, and questions about them.
#pragma once

#include <source/source.h>

#define USERS_REALM	 "users.example"
// Of user "alice" in that realm, as turnadmin -k prints it (password "wonderland").
#define USERS_KEY	 "5a12a5b8b0c3a29a8b6e13f4cc1e72d1"
// Of user "sha": 32 bytes.
#define USERS_KEY_SHA256 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// Tables of coturn's schema as far as they matter, with alice, sha and one whose key is none.
#define USERS_SQL                                                                                  \
	"CREATE TABLE turnusers_lt (realm varchar(127) default '', name varchar(512), "            \
	"hmackey varchar(128), PRIMARY KEY (realm, name));"                                        \
	"INSERT INTO turnusers_lt VALUES ('" USERS_REALM "', 'alice', '" USERS_KEY "');"           \
	"INSERT INTO turnusers_lt VALUES ('" USERS_REALM "', 'sha', '" USERS_KEY_SHA256 "');"      \
	"INSERT INTO turnusers_lt VALUES ('" USERS_REALM "', 'o''neil', '" USERS_KEY "');"         \
	"INSERT INTO turnusers_lt VALUES ('" USERS_REALM "', 'broken', 'no key');"

// Further tables: two secrets and two keys of tokens for the realm, and those of another one; rows
// that hold none.
#define KEYS_OTHER "another.example"
#define KEYS_SQL                                                                                   \
	"CREATE TABLE turn_secret (realm varchar(127) default '', value varchar(256), "            \
	"primary key (realm, value));"                                                             \
	"INSERT INTO turn_secret VALUES ('" USERS_REALM "', 'north o''wind');"                     \
	"INSERT INTO turn_secret VALUES ('" USERS_REALM "', 'south');"                             \
	"INSERT INTO turn_secret VALUES ('" USERS_REALM "', '');"                                  \
	"INSERT INTO turn_secret VALUES ('" KEYS_OTHER "', 'foreign');"                            \
	"CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), "                         \
	"timestamp bigint default 0, lifetime integer default 0, "                                 \
	"as_rs_alg varchar(64) default '', realm varchar(127), primary key (kid));"                \
	"INSERT INTO oauth_key VALUES ('whole', 'AQIDBA==', 1000, 0, 'A256GCM', "                  \
	"'" USERS_REALM "');"                                                                      \
	"INSERT INTO oauth_key VALUES ('short', 'BQYHCA==', 1000, 3600, 'A128GCM', '');"           \
	"INSERT INTO oauth_key VALUES ('foreign', 'AQIDBA==', 0, 0, '', '" KEYS_OTHER "');"        \
	"INSERT INTO oauth_key VALUES ('no key', '?', 0, 0, '', '" USERS_REALM "');"               \
	"INSERT INTO oauth_key VALUES ('no cipher', 'AQIDBA==', 0, 0, 'RC4', '" USERS_REALM "');"

// Every source that has the rows above gives the same keys; ends the test where one does not.
void keys_check(struct source *s);

struct tp_lookup_ask users_ask(uint64_t ticket, const char *realm, const char *name);
// Asks the source itself.
enum tp_lookup_status users_find(
	struct source *s, const char *realm, const char *name, struct source_answer *a);
// Every source gives the same answers about the users above; ends the test where one does not.
void users_check(struct source *s);
