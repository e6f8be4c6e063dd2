// SPDX-License-Identifier: BSD-3-Clause
#include "call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *ctl_call_text(const struct ctl_call *call, const char *name)
{
	return json_string_value(json_object_get(call->arguments, name));
}

uint64_t ctl_call_number(const struct ctl_call *call, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(call->arguments, name));
}

enum ctl_step ctl_call_fail(
	struct ctl_call *call, const char *code, const char *remedy, const char *format, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	json_decref(call->result);
	// A name cut in the middle of a character is no UTF-8: say at least the code.
	call->result = json_pack("{s:s, s:s*, s:s}", "code", code, "message", message, "remedy",
		remedy == NULL ? "" : remedy);
	if (call->result == NULL)
		call->result =
			json_pack("{s:s, s:s, s:s}", "code", code, "message", code, "remedy", "");
	call->failed = true;
	return CTL_DONE;
}

static bool word_is_one_of(const char *word, const char *values)
{
	size_t len = strlen(word);

	for (const char *v = values; *v != '\0';) {
		size_t n = strcspn(v, "|");

		if (n == len && memcmp(v, word, n) == 0)
			return true;
		v += n + (v[n] == '|');
	}
	return false;
}

static bool argument_is_right(struct ctl_call *call, const struct ctl_argument *a, const json_t *v)
{
	if (a->type == CTL_ARGUMENT_NUMBER && (!json_is_integer(v) || json_integer_value(v) < 0)) {
		ctl_call_fail(call, "usage", "give a whole number, 0 or more",
			"%s: argument %s is no number", call->command->name, a->name);
		return false;
	}
	if (a->type == CTL_ARGUMENT_TEXT && !json_is_string(v)) {
		ctl_call_fail(call, "usage", "give a string", "%s: argument %s is no text",
			call->command->name, a->name);
		return false;
	}
	if (a->type == CTL_ARGUMENT_FLAG && !json_is_boolean(v)) {
		ctl_call_fail(call, "usage", "give true or false", "%s: argument %s is no boolean",
			call->command->name, a->name);
		return false;
	}
	if (a->values != NULL && !word_is_one_of(json_string_value(v), a->values)) {
		char remedy[128];

		snprintf(remedy, sizeof(remedy), "give one of %s", a->values);
		ctl_call_fail(call, "usage", remedy, "%s: argument %s has no such value",
			call->command->name, a->name);
		return false;
	}
	return true;
}

static bool arguments_are_right(struct ctl_call *call)
{
	const struct ctl_command *cmd = call->command;
	size_t known = 0;

	for (size_t i = 0; i < cmd->n_arguments; i++) {
		const struct ctl_argument *a = &cmd->arguments[i];
		const json_t *v = json_object_get(call->arguments, a->name);

		if (v == NULL && a->required) {
			ctl_call_fail(call, "usage", a->text, "%s needs the argument %s", cmd->name,
				a->name);
			return false;
		}
		if (v == NULL)
			continue;
		known++;
		if (!argument_is_right(call, a, v))
			return false;
	}
	if (known != json_object_size(call->arguments)) {
		ctl_call_fail(call, "usage", "relayctl --help shows the arguments",
			"%s: unknown argument", cmd->name);
		return false;
	}
	return true;
}

static ctl_handler_fn handler_find(const struct ctl_server_conf *conf, const char *command)
{
	for (size_t i = 0; i < conf->n_handlers; i++) {
		if (strcmp(conf->handlers[i].command, command) == 0)
			return conf->handlers[i].run;
	}
	return NULL;
}

static void call_find(struct ctl_connection *c, const struct ctl_server_conf *conf)
{
	const char *name = json_string_value(json_object_get(c->request, "command"));
	json_t *arguments = json_object_get(c->request, "arguments");

	c->call.command = name == NULL ? NULL : ctl_command_find(name);
	c->run = c->call.command == NULL ? NULL : handler_find(conf, name);
	c->call.arguments = arguments;
	if (c->run == NULL) {
		ctl_call_fail(&c->call, "unknown_command", "relayctl --help lists the commands",
			"this server has no such command");
	} else if (arguments != NULL && !json_is_object(arguments)) {
		ctl_call_fail(&c->call, "usage", "give an object", "arguments are no object");
	} else if (arguments_are_right(&c->call)) {
		return;
	}
	c->run = NULL;
}

int ctl_call_open(struct ctl_connection *c, const struct ctl_server_conf *conf, const char *text,
	size_t len, uint64_t now_ns)
{
	json_t *request = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(request) || !json_is_integer(json_object_get(request, "id"))) {
		json_decref(request);
		return -EBADMSG;
	}
	c->request = request;
	c->call =
		(struct ctl_call){.now_ns = now_ns, .uid = c->uid, .pid = c->pid, .fd = c->passed};
	c->passed = -1;
	c->busy = true;
	call_find(c, conf);
	return 0;
}

static int answer_put(struct ctl_connection *c, bool more)
{
	json_t *id = json_object_get(c->request, "id");
	json_t *result = c->call.result;
	json_t *frame;
	int rc;

	c->call.result = NULL;
	frame = json_pack("{s:O, s:b, s:o*}", "id", id, "ok", !c->call.failed,
		c->call.failed ? "error" : "result", result);
	if (frame == NULL)
		return -ENOMEM;
	if (more)
		json_object_set_new(frame, "more", json_true());
	rc = ctl_connection_put(c, frame);
	json_decref(frame);
	return rc;
}

int ctl_call_step(struct ctl_connection *c, void *ctx, uint64_t now_ns)
{
	enum ctl_step step = CTL_DONE;
	int rc;

	c->call.now_ns = now_ns;
	if (c->run != NULL)
		step = c->run(ctx, &c->call);
	if (c->call.result == NULL)
		step = ctl_call_fail(&c->call, "internal", "report it", "no answer was made");
	rc = answer_put(c, step == CTL_MORE);
	if (rc == -EMSGSIZE) {
		step = ctl_call_fail(&c->call, "internal", "report it",
			"the answer is longer than a frame may be");
		rc = answer_put(c, false);
	}
	if (step == CTL_DONE) {
		json_decref(c->request);
		c->request = NULL;
		c->call.arguments = NULL;
		if (c->call.fd >= 0)
			close(c->call.fd);
		c->call.fd = -1;
		c->busy = false;
	}
	return rc;
}
