/* tests/unit/test_wk_emit_stanza.c - receipts, calls and changes of groups as events */
#include "test.h"

#include <event2/event.h>
#include <string.h>

#include "emit_fixture.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"

#define STATUS IPC__EVENT__KIND__MESSAGE_STATUS
#define CALL IPC__EVENT__KIND__CALL_UPDATE
#define GROUP IPC__EVENT__KIND__GROUP_FLOW
#define AT "\"timestamp\":\"2023-11-14T22:13:20.000Z\""
#define ANA "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana\"}"
#define ANA_CHAT \
	"{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana\"," \
	"\"type\":\"private\"}"
#define GROUP_CHAT "{\"jid\":\"1@g.us\",\"name\":\"G\",\"type\":\"group\"}"

static int setup(void **state)
{
	int rc = ef_setup(state);
	struct emit_fixture *f = *state;
	struct wa_jid ana = ef_jid("551199@s.whatsapp.net"), group = ef_jid("1@g.us");

	assert_int_equal(wk_store_lid_learn(f->store.st, "551199", "99", NULL), 0);
	assert_int_equal(wk_store_name_learn(f->store.st, &ana, WK_NAME_BOOK, "Ana"), 0);
	assert_int_equal(wk_store_name_learn(f->store.st, &group, WK_NAME_OWN, "G"), 0);
	return rc;
}

/* Hand it over as one stanza's work. takes n. */
static void give(struct emit_fixture *f, int (*take)(struct wk_emit *e, const struct wa_node *n),
                 struct wa_node *n)
{
	f->sent[0] = '\0';
	ef_enter(f);
	assert_int_equal(take(f->emit, n), 0);
	ef_leave(f);
	wa_node_free(n);
}

/* ---- receipts -----------------------------------------------------------------------------------
 */

static void test_receipts_of_a_contact(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("receipt", "id=A from=99:7@lid t=1700000000"), *list;

	list = ef_add(n, "list", "");
	ef_add(list, "item", "id=B");
	ef_add(list, "item", "id=C");
	give(f, wk_emit_receipt, n);
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"delivered\",\"messageIds\":[\"A\",\"B\",\"C\"],"
	          "\"chat\":" ANA_CHAT ",\"recipient\":" ANA "}");
	give(f, wk_emit_receipt,
	     ef_node("receipt", "id=A from=551199@s.whatsapp.net t=1700000000 type=played"));
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"played\",\"messageIds\":[\"A\"],"
	          "\"chat\":" ANA_CHAT ",\"recipient\":" ANA "}");
	ef_no_event(f);
}

static void test_receipts_of_a_group(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("receipt", "id=X from=1@g.us t=1700000009 type=read"), *p;

	give(f, wk_emit_receipt,
	     ef_node("receipt", "id=A from=1@g.us participant=99@lid t=1700000000 type=read"));
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"read\",\"messageIds\":[\"A\"],"
	          "\"chat\":" GROUP_CHAT ",\"recipient\":" ANA "}");
	/* members told together */
	p = ef_add(n, "participants", "key=M1");
	ef_add(p, "user", "jid=99@lid t=1700000000");
	ef_add(p, "user", "jid=42@lid t=1700000000");
	p = ef_add(n, "participants", "key=M2");
	ef_add(p, "user", "jid=42@lid t=1700000000");
	give(f, wk_emit_receipt, n);
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"read\",\"messageIds\":[\"M1\"],"
	          "\"chat\":" GROUP_CHAT ",\"recipient\":" ANA "}");
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"read\",\"messageIds\":[\"M1\",\"M2\"],"
	          "\"chat\":" GROUP_CHAT ",\"recipient\":{\"jid\":\"42@lid\",\"lid\":\"42@lid\"}}");
	f->settings.ignore_group_messages = true;
	give(f, wk_emit_receipt, ef_node("receipt", "id=A from=1@g.us participant=99@lid"));
	ef_no_event(f);
}

/* Another device of the account has read what others wrote. */
static void test_receipts_of_own_devices(void **state)
{
	struct emit_fixture *f = *state;

	give(f, wk_emit_receipt,
	     ef_node("receipt",
	             "id=A from=" SF_LID ":0@lid recipient=99@lid t=1700000000 type=read-self"));
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"read\",\"messageIds\":[\"A\"],\"chat\":" ANA_CHAT
	          ",\"fromMe\":true,\"messageSender\":" ANA "}");
	give(f, wk_emit_receipt,
	     ef_node("receipt", "id=A from=1@g.us participant=" SF_PN
	                        "@s.whatsapp.net recipient=99@lid t=1700000000 type=read-self"));
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"read\",\"messageIds\":[\"A\"],\"chat\":" GROUP_CHAT
	          ",\"fromMe\":true,\"messageSender\":" ANA "}");
}

static void test_receipts_that_say_nothing(void **state)
{
	static const char *const all[] = {
		"id=A from=99@lid type=sender",
		"id=A from=99@lid type=retry",
		"id=A from=99@lid type=hist_sync",
		"id=A from=99@lid type=server-error",
		"id=A from=99@lid type=no_such",
		"id=A from=" SF_LID "@lid type=peer_msg",
		"id=A from=" SF_LID "@lid type=read",
		"from=99@lid",
		"id=A from=99@lid category=peer",
		"id=A from=nonsense@",
		"id=A",
	};
	struct emit_fixture *f = *state;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		give(f, wk_emit_receipt, ef_node("receipt", all[i]));
	f->settings.ignore_status = true;
	give(f, wk_emit_receipt,
	     ef_node("receipt", "id=A from=status@broadcast participant=99@lid type=read"));
	ef_no_event(f);
	f->settings.ignore_status = false;
	give(f, wk_emit_receipt,
	     ef_node("receipt", "id=A from=status@broadcast participant=99@lid t=1700000000"));
	ef_expect(f, STATUS,
	          "{" AT ",\"status\":\"delivered\",\"messageIds\":[\"A\"],\"chat\":{\"jid\":"
	          "\"status@broadcast\",\"type\":\"status\"},\"recipient\":" ANA "}");
}

/* A receipt of a thousand messages becomes events of a bounded size. */
static void test_receipts_of_many_messages(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("receipt", "id=A from=99@lid"), *list = ef_add(n, "list", "");
	size_t ids = 0, events = 0;

	for (unsigned i = 0; i < 999; i++)
		ef_add(list, "item", "id=M");
	give(f, wk_emit_receipt, n);
	while (ids < 1000) {
		json_t *data = ef_event(f, STATUS, 0);

		ids += json_array_size(json_object_get(data, "messageIds"));
		events++;
		json_decref(data);
	}
	assert_int_equal(ids, 1000);
	assert_int_equal(events, 4);
	ef_no_event(f);
}

/* ---- calls --------------------------------------------------------------------------------------
 */

static struct wa_node *call(const char *attrs, const char *tag, const char *child_attrs)
{
	struct wa_node *n = ef_node("call", attrs);

	ef_add(n, tag, child_attrs);
	return n;
}

#define CALL_ATTRS "id=S from=99:2@lid t=1700000000 notify=ana"
#define OFFER_ATTRS "call-id=C1 call-creator=99:2@lid caller_pn=551199@s.whatsapp.net"
#define OFFERED "{\"id\":\"C1\",\"type\":\"offer\",\"from\":" ANA "," AT ",\"video\":false}"

static void test_calls(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n;

	give(f, wk_emit_call, call(CALL_ATTRS, "offer", OFFER_ATTRS));
	ef_expect(f, CALL, OFFERED);
	assert_string_equal(f->sent, "");
	n = ef_node("call", CALL_ATTRS);
	ef_add(ef_add(n, "offer", OFFER_ATTRS " group-jid=1@g.us"), "video", "");
	give(f, wk_emit_call, n);
	ef_expect(f, CALL,
	          "{\"id\":\"C1\",\"type\":\"offer\",\"from\":" ANA "," AT
	          ",\"video\":true,\"group\":\"1@g.us\"}");
	give(f, wk_emit_call, call(CALL_ATTRS, "accept", OFFER_ATTRS));
	ef_expect(f, CALL, "{\"id\":\"C1\",\"type\":\"accept\",\"from\":" ANA "," AT "}");
	give(f, wk_emit_call, call(CALL_ATTRS, "terminate", OFFER_ATTRS " reason=timeout"));
	ef_expect(f, CALL,
	          "{\"id\":\"C1\",\"type\":\"timeout\",\"from\":" ANA "," AT
	          ",\"reason\":\"timeout\"}");
	give(f, wk_emit_call,
	     call(CALL_ATTRS, "terminate", OFFER_ATTRS " reason=accepted_elsewhere duration=9"));
	ef_expect(f, CALL,
	          "{\"id\":\"C1\",\"type\":\"terminate\",\"from\":" ANA "," AT
	          ",\"reason\":\"accepted_elsewhere\",\"seconds\":9}");
	/* between devices, or nothing at all */
	give(f, wk_emit_call, call(CALL_ATTRS, "transport", OFFER_ATTRS));
	give(f, wk_emit_call, call(CALL_ATTRS, "offer", "call-creator=99@lid"));
	give(f, wk_emit_call, call("id=S", "offer", OFFER_ATTRS));
	ef_no_event(f);
}

/* caller_pn is of who began the call: here of ourselves, and of one whom the group knows. */
static void test_callers_number_is_the_callers(void **state)
{
	struct emit_fixture *f = *state;

	give(f, wk_emit_call,
	     call("id=S from=77:1@lid t=1700000000", "accept",
	          "call-id=C2 call-creator=" SF_LID ":0@lid caller_pn=" SF_PN "@s.whatsapp.net"));
	ef_expect(
	    f, CALL,
	    "{\"id\":\"C2\",\"type\":\"accept\",\"from\":{\"jid\":\"77@lid\",\"lid\":\"77@lid\"}"
	    "," AT "}");
	/* what an offer told of its caller is known from then on */
	give(f, wk_emit_call,
	     call("id=S from=78@lid t=1700000000", "offer",
	          "call-id=C3 call-creator=78:2@lid caller_pn=551178@s.whatsapp.net"));
	json_decref(ef_event(f, CALL, 0));
	give(
	    f, wk_emit_call,
	    call("id=S from=78@lid t=1700000000", "terminate", "call-id=C3 call-creator=78:2@lid"));
	ef_expect(
	    f, CALL,
	    "{\"id\":\"C3\",\"type\":\"terminate\",\"from\":{\"jid\":\"551178@s.whatsapp.net\","
	    "\"lid\":\"78@lid\"}," AT "}");
	ef_no_event(f);
}

static void test_calls_are_declined(void **state)
{
	struct emit_fixture *f = *state;
	char pn[WK_USER_CAP];

	f->settings.auto_reject_calls = true;
	give(f, wk_emit_call, call(CALL_ATTRS, "offer", OFFER_ATTRS));
	ef_expect(f, CALL, OFFERED);
	ef_expect(f, CALL,
	          "{\"id\":\"C1\",\"type\":\"reject\",\"from\":" ANA "," AT ",\"automatic\":true}");
	assert_string_equal(f->sent, "call from=" SF_PN "@s.whatsapp.net to=99:2@lid / reject "
	                             "call-id=C1 call-creator=99:2@lid count=0\n");
	assert_string_equal(f->declined, "99@lid ");
	/* a call tells who is who */
	assert_int_equal(wk_store_pn_of(f->store.st, "99", pn), 0);
	assert_string_equal(pn, "551199");
	/* one that is over long since, one that has not rung, one of our own phone's */
	give(f, wk_emit_call, call(CALL_ATTRS " offline=1", "offer", OFFER_ATTRS));
	assert_string_equal(f->sent, "");
	give(f, wk_emit_call, call(CALL_ATTRS, "offer_notice", OFFER_ATTRS));
	assert_string_equal(f->sent, "");
	give(f, wk_emit_call, call("id=S from=" SF_LID ":0@lid", "offer", OFFER_ATTRS));
	assert_string_equal(f->sent, "");
	/* one of a group is declined, and nobody is written to */
	give(f, wk_emit_call, call(CALL_ATTRS, "offer", OFFER_ATTRS " group-jid=1@g.us"));
	assert_memory_equal(f->sent, "call ", 5);
	assert_string_equal(f->declined, "99@lid ");
}

/* ---- groups -------------------------------------------------------------------------------------
 */

#define NOTICE "id=N type=w:gp2 from=1@g.us participant=99@lid t=1700000000 notify=ana"
#define BY "\"jid\":\"1@g.us\",\"by\":" ANA "," AT

static struct wa_node *change(const char *tag, const char *attrs)
{
	struct wa_node *n = ef_node("notification", NOTICE);

	ef_add(n, tag, attrs);
	return n;
}

static void test_group_members(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("notification", NOTICE), *add;
	char pn[WK_USER_CAP];

	add = ef_add(n, "add", "reason=invite");
	ef_add(add, "participant", "jid=42@lid phone_number=4911@s.whatsapp.net type=admin");
	ef_add(add, "participant", "jid=nonsense@");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP,
	          "{" BY ",\"type\":\"add\",\"participants\":[{\"jid\":\"4911@s.whatsapp.net\","
	          "\"lid\":\"42@lid\",\"rank\":\"admin\"}],\"reason\":\"invite\"}");
	assert_int_equal(wk_store_pn_of(f->store.st, "42", pn), 0);
	assert_string_equal(pn, "4911");

	n = ef_node("notification", NOTICE);
	ef_add(ef_add(n, "remove", ""), "participant", "jid=42@lid");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP,
	          "{" BY ",\"type\":\"remove\",\"participants\":[{\"jid\":"
	          "\"4911@s.whatsapp.net\",\"lid\":\"42@lid\"}]}");
	n = ef_node("notification", NOTICE);
	ef_add(ef_add(n, "remove", ""), "participant", "jid=99@lid");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP, "{" BY ",\"type\":\"leave\",\"participants\":[" ANA "]}");
}

static void test_group_changes(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("notification", NOTICE), *c;

	/* several at once; one that nobody is told of */
	ef_add(n, "subject", "subject=New s_t=1");
	ef_add(n, "ephemeral", "expiration=86400");
	ef_add(n, "group_history", "");
	ef_add(n, "announcement", "");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP, "{" BY ",\"type\":\"subject\",\"participants\":[],\"name\":\"New\"}");
	ef_expect(f, GROUP,
	          "{" BY ",\"type\":\"ephemeral\",\"participants\":[],\"seconds\":86400}");
	ef_expect(f, GROUP, "{" BY ",\"type\":\"announcement\",\"participants\":[]}");
	ef_no_event(f);
	give(f, wk_emit_receipt, ef_node("receipt", "id=A from=1@g.us participant=99@lid"));
	{
		json_t *data = ef_event(f, STATUS, 0);

		ef_equal(json_object_get(data, "chat"), "name", "\"New\"");
		json_decref(data);
	}

	n = ef_node("notification", NOTICE);
	wa_node_set_text(ef_add(ef_add(n, "description", "id=D"), "body", ""), "what for");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP,
	          "{" BY ",\"type\":\"description\",\"participants\":[],"
	          "\"description\":\"what for\"}");
	give(f, wk_emit_group, change("invite", "code=ABC"));
	ef_expect(f, GROUP, "{" BY ",\"type\":\"invite\",\"participants\":[],\"code\":\"ABC\"}");
	n = ef_node("notification", NOTICE);
	ef_add(ef_add(n, "membership_approval_mode", ""), "group_join", "state=on");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP,
	          "{" BY ",\"type\":\"membership_approval_mode\",\"participants\":[],"
	          "\"state\":\"on\"}");

	n = ef_node("notification", "id=N type=w:gp2 from=2@g.us participant=99@lid t=1700000000");
	c = ef_add(ef_add(n, "create", "type=new"), "group", "id=2 subject=Made");
	ef_add(c, "participant", "jid=99@lid type=superadmin");
	give(f, wk_emit_group, n);
	ef_expect(f, GROUP,
	          "{\"jid\":\"2@g.us\",\"by\":" ANA "," AT
	          ",\"type\":\"create\",\"participants\":[{\"jid\":\"551199@s.whatsapp.net\","
	          "\"lid\":\"99@lid\",\"name\":\"Ana\",\"rank\":\"superadmin\"}],"
	          "\"name\":\"Made\"}");
	f->settings.ignore_group_messages = true;
	give(f, wk_emit_group, change("subject", "subject=Silent"));
	ef_no_event(f);
}

static void test_group_list(void **state)
{
	struct emit_fixture *f = *state;
	struct wa_node *n = ef_node("iq", "type=result"), *groups = ef_add(n, "groups", "");
	struct wa_jid jid = ef_jid("7@g.us");
	const char *name;

	ef_add(groups, "group", "id=7 subject=Seven");
	ef_add(groups, "group", "subject=None");
	ef_add(groups, "group", "id=8@g.us subject=Eight");
	give(f, wk_emit_groups, n);
	assert_int_equal(wk_store_name(f->store.st, &jid, NULL, &name), 0);
	assert_string_equal(name, "Seven");
	jid = ef_jid("8@g.us");
	assert_int_equal(wk_store_name(f->store.st, &jid, NULL, &name), 0);
	assert_string_equal(name, "Eight");
	ef_no_event(f);
}

static void test_group_history(void **state)
{
	struct emit_fixture *f = *state;
	char who[] = "99@lid", on[] = "off";
	char *params[] = { who };
	struct wa_jid group = ef_jid("1@g.us");
	Wa__WebMessageInfo info = WA__WEB_MESSAGE_INFO__INIT;
	json_t *data;

	info.participant = who;
	info.has_message_timestamp = 1;
	info.message_timestamp = 1700000000;
	info.message_stub_parameters = params;
	info.n_message_stub_parameters = 1;
	info.has_message_stub_type = 1;
	info.message_stub_type = 27;
	ef_enter(f);
	assert_int_equal(wk_emit_stub(f->emit, &group, &info), 0);
	params[0] = on;
	info.message_stub_type = 26;
	assert_int_equal(wk_emit_stub(f->emit, &group, &info), 0);
	info.message_stub_type = 39; /* nothing to do with groups */
	assert_int_equal(wk_emit_stub(f->emit, &group, &info), 0);
	ef_leave(f);
	data = ef_event(f, GROUP, WK_EVENT_FROM_HISTORY);
	ef_equal(data, NULL,
	         "{" BY ",\"type\":\"add\",\"participants\":[" ANA "],\"fromHistory\":true}");
	json_decref(data);
	data = ef_event(f, GROUP, WK_EVENT_FROM_HISTORY);
	ef_equal(data, "type", "\"not_announcement\"");
	json_decref(data);
	ef_no_event(f);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, ef_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_receipts_of_a_contact),
		TEST(test_receipts_of_a_group),
		TEST(test_receipts_of_own_devices),
		TEST(test_receipts_that_say_nothing),
		TEST(test_receipts_of_many_messages),
		TEST(test_calls),
		TEST(test_callers_number_is_the_callers),
		TEST(test_calls_are_declined),
		TEST(test_group_members),
		TEST(test_group_changes),
		TEST(test_group_list),
		TEST(test_group_history),
	};

	return cmocka_run_group_tests_name("wk_emit_stanza", tests, NULL, NULL);
}
