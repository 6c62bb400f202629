/* tests/unit/test_gw_accept.c - which form an Accept header asks for */
#include "test.h"

#include "common/attr.h"
#include "gateway/http/gw_accept.h"

static void test_the_wanted_form_wins(void **state)
{
	static const struct {
		const char *accept;
		enum gw_media media;
	} cases[] = {
		{ NULL, GW_MEDIA_JSON },
		{ "", GW_MEDIA_JSON },
		{ "*/*", GW_MEDIA_JSON },
		{ "application/json", GW_MEDIA_JSON },
		{ "image/png", GW_MEDIA_PNG },
		{ "IMAGE/PNG", GW_MEDIA_PNG },
		{ "image/svg+xml", GW_MEDIA_SVG },
		{ "text/plain", GW_MEDIA_TEXT },
		{ "text/plain; charset=utf-8", GW_MEDIA_TEXT },
		{ "text/event-stream", GW_MEDIA_EVENTS },
		{ "image/*", GW_MEDIA_PNG },
		{ "text/*", GW_MEDIA_TEXT },
		{ "application/*", GW_MEDIA_JSON },
		/* nothing that matches */
		{ "text/html", GW_MEDIA_JSON },
		{ "image/webp, video/*", GW_MEDIA_JSON },
		{ "image/png;q=0", GW_MEDIA_JSON },
		/* the best q */
		{ "application/json;q=0.5, image/png", GW_MEDIA_PNG },
		{ "application/json, image/png;q=0.9", GW_MEDIA_JSON },
		{ "image/png;q=0.1, text/plain;q=0.11", GW_MEDIA_TEXT },
		{ "image/png;q=0.101, text/plain;q=0.1", GW_MEDIA_PNG },
		{ "text/plain ; q=0.2 , image/svg+xml ; q=0.3", GW_MEDIA_SVG },
		{ "*/*;q=0.1, text/event-stream;Q=0.2", GW_MEDIA_EVENTS },
		/* between equals the one named more precisely, then the first */
		{ "image/png, */*", GW_MEDIA_PNG },
		{ "*/*, text/*", GW_MEDIA_TEXT },
		{ "image/*, image/svg+xml", GW_MEDIA_SVG },
		{ "text/plain, image/png", GW_MEDIA_PNG },
		{ "image/png, application/json", GW_MEDIA_JSON },
		/* the more precise range decides about a form */
		{ "*/*, application/json;q=0.1, image/*;q=0.1", GW_MEDIA_TEXT },
		{ "image/*, image/png;q=0", GW_MEDIA_SVG },
		/* a browser's */
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		  GW_MEDIA_JSON },
		{ "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
		  GW_MEDIA_PNG },
		/* lists with holes are lists */
		{ ", image/png ,,", GW_MEDIA_PNG },
		{ "image/png;a=\"x,y;q=0\\\"\";q=1", GW_MEDIA_PNG },
		/* what can't be read is JSON */
		{ "image", GW_MEDIA_JSON },
		{ "image/", GW_MEDIA_JSON },
		{ "/png", GW_MEDIA_JSON },
		{ "image/png text/plain", GW_MEDIA_JSON },
		{ "image/png;q=2", GW_MEDIA_JSON },
		{ "image/png;q=1.001", GW_MEDIA_JSON },
		{ "image/png;q=0.1234", GW_MEDIA_JSON },
		{ "image/png;q=-1", GW_MEDIA_JSON },
		{ "image/png;q=", GW_MEDIA_JSON },
		{ "image/png;q", GW_MEDIA_JSON },
		{ "image/png;a=\"x", GW_MEDIA_JSON },
		{ "image/png, (", GW_MEDIA_JSON },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (gw_accept_best(cases[i].accept) != cases[i].media)
			fail_msg("%s: got %s", cases[i].accept,
			         gw_media_type(gw_accept_best(cases[i].accept)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_wanted_form_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
