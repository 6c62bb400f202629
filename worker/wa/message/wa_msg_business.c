/* worker/wa/message/wa_msg_business.c - what businesses send, and answers to it */
#include "worker/wa/message/wa_msg_priv.h"

/* The picture, film, file or place above the text; NULL for none of them. Keeps v->type and text.
 */
static void take_header(struct wa_msg_view *v, const Wa__ImageMessage *image,
                        const Wa__VideoMessage *video, const Wa__DocumentMessage *document,
                        const Wa__LocationMessage *location)
{
	enum wa_msg_type type = v->type;
	const char *text = v->text;

	if (image != NULL)
		wa_msg_take_image(v, image);
	else if (video != NULL)
		wa_msg_take_video(v, video, false);
	else if (document != NULL)
		wa_msg_take_document(v, document);
	if (location != NULL)
		wa_msg_take_location(v, location);
	v->type = type;
	v->text = text;
}

static void take_interactive(struct wa_msg_view *v, const Wa__InteractiveMessage *m)
{
	const Wa__InteractiveHeader *h = m->header;

	v->type = WA_MSG_INTERACTIVE;
	v->text = m->body == NULL ? NULL : m->body->text;
	v->footer = m->footer == NULL ? NULL : m->footer->text;
	if (h != NULL) {
		v->title = h->title;
		take_header(v, h->image_message, h->video_message, h->document_message,
		            h->location_message);
	}
	wa_msg_take_context(v, m->context_info);
}

static void take_template(struct wa_msg_view *v, const Wa__TemplateMessage *m)
{
	const Wa__HydratedFourRowTemplate *t =
	    m->hydrated_template != NULL ? m->hydrated_template : m->hydrated_four_row_template;

	v->type = WA_MSG_TEMPLATE;
	if (t != NULL) {
		v->title = t->hydrated_title_text;
		v->text = t->hydrated_content_text;
		v->footer = t->hydrated_footer_text;
		take_header(v, t->image_message, t->video_message, t->document_message,
		            t->location_message);
	} else if (m->interactive_message_template != NULL) {
		take_interactive(v, m->interactive_message_template);
		v->type = WA_MSG_TEMPLATE;
	}
	if (m->context_info != NULL)
		wa_msg_take_context(v, m->context_info);
}

static void take_buttons(struct wa_msg_view *v, const Wa__ButtonsMessage *m)
{
	v->type = WA_MSG_BUTTONS;
	v->title = m->text;
	v->text = m->content_text;
	v->footer = m->footer_text;
	take_header(v, m->image_message, m->video_message, m->document_message,
	            m->location_message);
	wa_msg_take_context(v, m->context_info);
}

static void take_product(struct wa_msg_view *v, const Wa__ProductMessage *m)
{
	v->type = WA_MSG_PRODUCT;
	v->text = m->body;
	if (m->product != NULL) {
		v->title = m->product->title;
		v->choice_id = m->product->product_id;
		if (v->text == NULL)
			v->text = m->product->description;
		take_header(v, m->product->product_image, NULL, NULL, NULL);
	}
	wa_msg_take_context(v, m->context_info);
}

static void take_reply(struct wa_msg_view *v, const char *id, const char *text,
                       const Wa__ContextInfo *context)
{
	v->type = WA_MSG_REPLY;
	v->choice_id = id;
	v->text = text;
	wa_msg_take_context(v, context);
}

bool wa_msg_take_business(struct wa_msg_view *v, const Wa__Message *m)
{
	if (m->list_message != NULL) {
		v->type = WA_MSG_LIST;
		v->title = m->list_message->title;
		v->text = m->list_message->description;
		v->footer = m->list_message->footer_text;
		wa_msg_take_context(v, m->list_message->context_info);
	} else if (m->buttons_message != NULL) {
		take_buttons(v, m->buttons_message);
	} else if (m->template_message != NULL) {
		take_template(v, m->template_message);
	} else if (m->highly_structured_message != NULL) {
		v->type = WA_MSG_TEMPLATE;
		if (m->highly_structured_message->hydrated_hsm != NULL)
			take_template(v, m->highly_structured_message->hydrated_hsm);
	} else if (m->interactive_message != NULL) {
		take_interactive(v, m->interactive_message);
	} else if (m->list_response_message != NULL) {
		const Wa__ListResponseMessage *r = m->list_response_message;

		take_reply(v,
		           r->single_select_reply == NULL ? NULL
		                                          : r->single_select_reply->selected_row_id,
		           r->title, r->context_info);
	} else if (m->buttons_response_message != NULL) {
		const Wa__ButtonsResponseMessage *r = m->buttons_response_message;

		take_reply(v, r->selected_button_id, r->selected_display_text, r->context_info);
	} else if (m->template_button_reply_message != NULL) {
		const Wa__TemplateButtonReplyMessage *r = m->template_button_reply_message;

		take_reply(v, r->selected_id, r->selected_display_text, r->context_info);
	} else if (m->interactive_response_message != NULL) {
		const Wa__InteractiveResponseMessage *r = m->interactive_response_message;
		const Wa__NativeFlowResponseMessage *f = r->native_flow_response_message;

		take_reply(v, f == NULL ? NULL : f->params_json,
		           r->body == NULL ? NULL : r->body->text, r->context_info);
	} else if (m->product_message != NULL) {
		take_product(v, m->product_message);
	} else if (m->order_message != NULL) {
		v->type = WA_MSG_ORDER;
		v->title = m->order_message->order_title;
		v->text = m->order_message->message;
		v->choice_id = m->order_message->order_id;
		wa_msg_take_context(v, m->order_message->context_info);
	} else {
		return false;
	}
	return true;
}
