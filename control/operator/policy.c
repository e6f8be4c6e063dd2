// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <text/addr.h>

static const char *rule_text(
	const struct policy_decision *why, bool allowed, char buf[POLICY_TEXT_SIZE])
{
	if (why->verdict == POLICY_OWN)
		return allowed ? "own: an address of this relay; its relayed ports and those of "
				 "peers.local alone are reached"
			       : "own: an address of this relay; no relayed port and none of "
				 "peers.local";
	return policy_decision_format(why, buf, POLICY_TEXT_SIZE);
}

enum ctl_step operator_policy_explain(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct turn_realm_conf *realm =
		operator_realm_named(op, ctl_call_text(call, "realm"));
	const char *text = ctl_call_text(call, "address");
	char buf[POLICY_TEXT_SIZE];
	struct turn_explanation e;
	struct tp_addr peer;

	if (realm == NULL)
		return operator_realm_missing(call);
	if (text_addr_parse(text, &peer) != 0 && text_ip_parse(text, &peer) != 0)
		return ctl_call_fail(call, "usage",
			"give an address such as 192.0.2.1, 192.0.2.1:5000 or [2001:db8::1]:5000",
			"policy explain: invalid address");
	if (turn_peer_explain(op->sources.turn, realm->id, ctl_call_text(call, "user"), &peer, &e) <
		0)
		return operator_realm_missing(call);
	call->result = json_pack("{s:o, s:s, s:s?, s:s, s:s}", "peer",
		peer.port_be != 0 ? operator_json_addr(&peer) : operator_json_ip(&peer), "realm",
		realm->name, "policy", e.policy, "verdict", e.allowed ? "allowed" : "denied",
		"rule", rule_text(&e.why, e.allowed, buf));
	if (e.would_deny)
		json_object_set_new(call->result, "trial",
			json_string(policy_decision_format(&e.trial, buf, sizeof(buf))));
	else
		json_object_set_new(call->result, "trial", json_null());
	return CTL_DONE;
}
