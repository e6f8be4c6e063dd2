// SPDX-License-Identifier: BSD-3-Clause
// A server of the operator's. The question is posted as JSON {"realm": ..., "username": ...} (or
// "userhash" in hexadecimal digits); the answer is 200 with {"key": HEX, "life": SECONDS}, where
// life may be left out, or 404 for no such user. Anything else is no answer. Redirections are not
// followed: they would take the bearer token elsewhere.
#include <source/source.h>

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX 4096u

struct http {
	struct source base;
	CURL *c;
	struct curl_slist *headers;
	size_t len;
	bool too_long;
	char answer[ANSWER_MAX];
};

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct http *s = ctx;

	if (size * n > sizeof(s->answer) - s->len) {
		// The rest is not needed: the connection ends here.
		s->too_long = true;
		return 0;
	}
	memcpy(s->answer + s->len, data, size * n);
	s->len += size * n;
	return size * n;
}

static void header_add(struct http *s, const char *text)
{
	struct curl_slist *longer = curl_slist_append(s->headers, text);

	if (longer != NULL)
		s->headers = longer;
}

static bool bearer_add(struct http *s, const struct conf_octets *bearer)
{
	char *text;

	if (bearer->len == 0)
		return true;
	text = calloc(1, bearer->len + 32);
	if (text == NULL)
		return false;
	sprintf(text, "Authorization: Bearer %.*s", (int)bearer->len, (const char *)bearer->data);
	header_add(s, text);
	explicit_bzero(text, bearer->len + 32);
	free(text);
	return true;
}

static void options_set(struct http *s, const struct conf_source *conf)
{
	curl_easy_setopt(s->c, CURLOPT_URL, conf->url);
	curl_easy_setopt(s->c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->c, CURLOPT_PROXY, "");
	curl_easy_setopt(s->c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->c, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(s->c, CURLOPT_POST, 1L);
	curl_easy_setopt(s->c, CURLOPT_HTTPHEADER, s->headers);
	curl_easy_setopt(s->c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(s->c, CURLOPT_WRITEDATA, s);
	if (conf->ca_file != NULL)
		curl_easy_setopt(s->c, CURLOPT_CAINFO, conf->ca_file);
	if (conf->certificate != NULL) {
		curl_easy_setopt(s->c, CURLOPT_SSLCERT, conf->certificate);
		curl_easy_setopt(s->c, CURLOPT_SSLKEY, conf->key_file);
	}
}

static void http_close(struct source *base)
{
	struct http *s = (struct http *)base;

	for (struct curl_slist *h = s->headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(s->headers);
	if (s->c != NULL)
		curl_easy_cleanup(s->c);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static struct source *http_open(const struct conf_source *conf)
{
	struct http *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->c = curl_easy_init();
	header_add(s, "Content-Type: application/json");
	header_add(s, "Accept: application/json");
	if (s->c == NULL || !bearer_add(s, &conf->bearer)) {
		http_close(&s->base);
		return NULL;
	}
	options_set(s, conf);
	return &s->base;
}

// NULL: no user has the name. JSON can't carry it, or it has a NUL, where a server may end it and
// answer for the user with the shorter name.
static char *question_make(const struct source_question *q)
{
	char hash[2 * TP_LOOKUP_NAME_MAX + 1];
	json_t *o;
	char *text;

	if (q->by == TP_LOOKUP_BY_NAME && memchr(q->name, '\0', q->name_len) != NULL)
		return NULL;
	if (q->by == TP_LOOKUP_BY_USERHASH) {
		for (size_t i = 0; i < q->name_len; i++)
			sprintf(hash + 2 * i, "%02x", q->name[i]);
		o = json_pack("{s:s%, s:s%}", "realm", q->realm, q->realm_len, "userhash", hash,
			2 * q->name_len);
	} else {
		o = json_pack("{s:s%, s:s%}", "realm", q->realm, q->realm_len, "username",
			(const char *)q->name, q->name_len);
	}
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

static void answer_read(struct http *s, struct source_answer *a)
{
	json_t *o = json_loadb(s->answer, s->len, 0, NULL);
	json_t *key = json_object_get(o, "key"), *life = json_object_get(o, "life");

	if (!json_is_string(key)) {
		source_fail_name(a, "the answer is no JSON object with a \"key\"");
	} else {
		source_found_hex(a, json_string_value(key), json_string_length(key));
		a->has_life = json_is_integer(life) && json_integer_value(life) >= 0;
		if (a->has_life)
			a->life_s = json_integer_value(life) > UINT32_MAX
					    ? UINT32_MAX
					    : (uint32_t)json_integer_value(life);
	}
	json_decref(o);
	explicit_bzero(s->answer, s->len);
}

// Codes of a server that refuses this name alone. 403 is also the answer of a web application
// firewall, to a name that looks like SQL for example.
static bool is_of_name(long code)
{
	return code == 400 || code == 403 || code == 413 || code == 422;
}

static void code_fail(struct source_answer *a, long code)
{
	char text[48];

	snprintf(text, sizeof(text), "the server answers %ld", code);
	if (is_of_name(code))
		source_fail_name(a, text);
	else
		source_fail(a, code >= 500, "%s", text);
}

static void http_ask(struct source *base, const struct source_question *q, struct source_answer *a)
{
	struct http *s = (struct http *)base;
	char *question = q->by == TP_LOOKUP_BY_TOKEN ? NULL : question_make(q);
	CURLcode rc;
	long code = 0;

	if (question == NULL) {
		a->status = TP_LOOKUP_UNKNOWN;
		return;
	}
	s->len = 0;
	s->too_long = false;
	curl_easy_setopt(s->c, CURLOPT_POSTFIELDS, question);
	curl_easy_setopt(s->c, CURLOPT_POSTFIELDSIZE, (long)strlen(question));
	rc = curl_easy_perform(s->c);
	free(question);
	curl_easy_getinfo(s->c, CURLINFO_RESPONSE_CODE, &code);
	// The page beside any other code than 200 has no use, however long it is.
	if (rc != CURLE_OK && !s->too_long)
		source_fail(a, true, "%s", curl_easy_strerror(rc));
	else if (code == 404)
		a->status = TP_LOOKUP_UNKNOWN;
	else if (code != 200)
		code_fail(a, code);
	else if (s->too_long)
		source_fail_name(a, "the answer is too long");
	else
		answer_read(s, a);
}

const struct source_kind source_http = {.open = http_open, .ask = http_ask, .close = http_close};
