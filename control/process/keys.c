// SPDX-License-Identifier: BSD-3-Clause
// Secrets and keys of tokens in databases: each realm's are asked for again when their life is
// over. A source that can't tell changes nothing: the last ones stay.
#include <process/process.h>

#include <stdlib.h>

#include <log/log.h>

#include <proc/clock.h>

#define AGAIN_NS  TP_NS_PER_S	     // after a question without an answer
#define FAILED_NS (10 * TP_NS_PER_S) // after one that the source can't tell

struct process_realm_keys {
	uint64_t ask_ns;
	uint16_t skipped; // as logged
};

static uint16_t wanted_of(const struct settings *s, size_t i)
{
	const struct conf_source *source = conf_source_of(&s->conf->directory, s->realms[i].name);
	uint16_t wanted = 0;

	if (source != NULL && source->secrets)
		wanted |= TP_LOOKUP_SECRETS;
	if (source != NULL && source->token_keys && s->realms[i].token_server != NULL)
		wanted |= TP_LOOKUP_TOKEN_KEYS;
	return wanted;
}

static void change_log(const char *realm, const struct turn_keys *keys, uint16_t skipped)
{
	log_event(LOG_EV_REALM_KEYS,
		LOG_FIELDS(log_str("realm", realm), log_u64("secrets", keys->n_secrets),
			log_u64("token_keys", keys->n_token_keys), log_u64("skipped", skipped)));
}

// Room for the keys of a message in the terms of the TURN server.
struct keys_room {
	struct turn_secret secrets[TP_LOOKUP_KEYS_MAX];
	struct turn_token_key token_keys[TP_LOOKUP_KEYS_MAX];
	char ids[TP_LOOKUP_KEYS_MAX][TP_LOOKUP_KEY_ID_MAX + 1];
};

static struct turn_keys keys_read(const struct tp_lookup_keys *m, struct keys_room *room)
{
	struct turn_keys keys = {.secrets = room->secrets, .token_keys = room->token_keys};

	for (uint16_t i = 0; i < m->n; i++) {
		const struct tp_lookup_key *k = &m->items[i];
		struct turn_token_key *to = &room->token_keys[keys.n_token_keys];
		char *id = room->ids[keys.n_token_keys];

		if (k->kind == TP_LOOKUP_SECRET) {
			room->secrets[keys.n_secrets++] = (struct turn_secret){.id = "",
				.octets = k->octets,
				.len = k->len,
				.hmac = TURN_HMAC_ANY,
				.not_after_s = k->not_after_s};
			continue;
		}
		memcpy(id, k->id, k->id_len);
		id[k->id_len] = '\0';
		*to = (struct turn_token_key){.id = id,
			.algorithm = k->kind == TP_LOOKUP_A128GCM ? TURN_TOKEN_A128GCM
								  : TURN_TOKEN_A256GCM,
			.not_after_s = k->not_after_s};
		memcpy(to->octets, k->octets, sizeof(to->octets));
		keys.n_token_keys++;
	}
	return keys;
}

static void on_keys(void *ctx, uint16_t realm_id, const struct tp_lookup_keys *m)
{
	struct process *p = ctx;
	const struct settings *s = p->core.settings;
	static struct keys_room room;
	struct turn_keys keys;
	size_t i = 0;
	int rc;

	while (i < s->n_realms && s->realms[i].id != realm_id)
		i++;
	if (i == s->n_realms || p->keys == NULL)
		return;
	if (m == NULL) {
		p->keys[i].ask_ns = proc_now_ns() + FAILED_NS;
		return;
	}
	keys = keys_read(m, &room);
	rc = turn_keys_set(p->core.turn, realm_id, &keys);
	if (rc == 1 || (rc == 0 && m->skipped != p->keys[i].skipped)) {
		change_log(s->realms[i].name, &keys, m->skipped);
		p->keys[i].skipped = m->skipped;
	}
	p->keys[i].ask_ns =
		proc_now_ns() + (m->life_s > 0 && rc >= 0 ? m->life_s * TP_NS_PER_S : AGAIN_NS);
	explicit_bzero(&room, sizeof(room));
}

void process_keys_aim(struct process *p)
{
	p->lookup.keys = on_keys;
	p->lookup.keys_ctx = p;
	// By the configuration before: their answers may have keys that are no longer wanted.
	lookup_client_forget_keys(&p->lookup);
	if (p->keys == NULL)
		p->keys = calloc(p->core.settings->n_realms, sizeof(*p->keys));
	for (size_t i = 0; p->keys != NULL && i < p->core.settings->n_realms; i++)
		p->keys[i].ask_ns = 0;
}

void process_keys_fini(struct process *p)
{
	free(p->keys);
	p->keys = NULL;
}

void process_keys_tick(struct process *p, uint64_t now_ns)
{
	const struct settings *s = p->core.settings;

	for (size_t i = 0; p->keys != NULL && i < s->n_realms; i++) {
		uint16_t wanted;

		if (now_ns < p->keys[i].ask_ns)
			continue;
		p->keys[i].ask_ns = now_ns + AGAIN_NS;
		wanted = wanted_of(s, i);
		if (wanted != 0)
			(void)lookup_client_ask_keys(
				&p->lookup, now_ns, s->realms[i].name, s->realms[i].id, wanted);
	}
}
