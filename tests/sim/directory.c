// SPDX-License-Identifier: BSD-3-Clause
// A directory of users that is honest, slow, lying or dying by turns.
#include "directory_sim.h"

#include <stdlib.h>

void sim_question_note(struct sim *s, const struct turn_lookup *lookup)
{
	static const uint32_t max_ms[MODES] = {20, 9000, 2000, 0};
	struct question *q;

	if (s->n_questions == QUESTIONS)
		sim_fail(s, "too many questions");
	q = &s->questions[s->n_questions++];
	q->ticket = lookup->ticket;
	q->is_due = s->mode != MODE_DYING;
	q->due_ns = s->now_ns + (1 + sim_below(s, max_ms[s->mode] + 1)) * TP_NS_PER_MS;
	if (lookup->key_len >= sizeof(q->name))
		sim_fail(s, "a name that no client has");
	memcpy(q->name, lookup->key, lookup->key_len);
	q->name[lookup->key_len] = '\0';
}

static struct turn_answer truth(const char *name)
{
	struct turn_answer answer = {.status = TURN_ANSWER_UNKNOWN, .life_s = 3};
	unsigned user = strncmp(name, "user", 4) == 0 ? (unsigned)atoi(name + 4) : UINT32_MAX;
	uint8_t key[16];

	if (user >= STATICS + USERS)
		return answer;
	msg_key(name, REALM, name, key);
	answer.status = TURN_ANSWER_FOUND;
	answer.key = turn_key_md5(key);
	answer.life_s = 5;
	return answer;
}

static void lie(struct sim *s, uint64_t *ticket, struct turn_answer *answer)
{
	switch (sim_below(s, 8)) {
	case 0:
		*ticket ^= UINT64_C(1) << sim_below(s, 64);
		break;
	case 1:
		*ticket = (uint64_t)sim_below(s, UINT32_MAX) << 32 | sim_below(s, UINT32_MAX);
		break;
	case 2:
		answer->key.len = (uint8_t)sim_below(s, 256);
		break;
	case 3:
		answer->key.algorithm = (enum turn_key_algorithm)sim_below(s, 9);
		break;
	case 4:
		answer->status = (enum turn_answer_status)sim_below(s, 200);
		break;
	case 5:
		answer->key.octets[sim_below(s, 16)] ^= 1;
		break;
	case 6:
		answer->life_s = UINT32_MAX;
		break;
	default:
		answer->status = TURN_ANSWER_FAILED;
		break;
	}
}

static void question_answer(struct sim *s, const struct question *q)
{
	struct turn_answer answer = truth(q->name);
	uint64_t ticket = q->ticket;
	unsigned times = 1;

	if (s->mode == MODE_LYING) {
		times += sim_below(s, 2);
		lie(s, &ticket, &answer);
	}
	while (times-- > 0) {
		(void)turn_answer(s->server, s->now_ns, ticket, &answer);
		sim_outputs_take(s, NULL);
	}
}

void sim_directory_turn(struct sim *s)
{
	if (s->now_ns >= s->mode_until_ns) {
		s->mode = (enum mode)sim_below(s, MODES);
		s->mode_until_ns = s->now_ns + (1 + sim_below(s, 8)) * TP_NS_PER_S;
		// It comes back, and answers the questions from before its death.
		for (size_t i = 0; i < s->n_questions; i++)
			s->questions[i].is_due = true;
	}
	for (size_t i = 0; i < s->n_questions;) {
		struct question q = s->questions[i];

		if (!q.is_due || q.due_ns > s->now_ns) {
			i++;
			continue;
		}
		s->questions[i] = s->questions[--s->n_questions];
		question_answer(s, &q);
	}
}
