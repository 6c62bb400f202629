/* gateway/http/gw_accept.h - which form of an answer a client wants (RFC 9110 section 12.5.1) */
#ifndef GW_ACCEPT_H
#define GW_ACCEPT_H

/* In the contract's order, which decides between forms that are wanted equally. */
enum gw_media {
	GW_MEDIA_JSON,
	GW_MEDIA_PNG,
	GW_MEDIA_SVG,
	GW_MEDIA_TEXT,
	GW_MEDIA_EVENTS,
	GW_MEDIA_N
};

/* "image/png", ... with its charset where it has one. */
const char *gw_media_type(enum gw_media media);

/*
 * accept: value of the header, several joined by commas; NULL for none.
 * The form with the highest q; between equals the one that was named more precisely, then the
 * first. JSON when nothing matches or the header can't be read.
 */
enum gw_media gw_accept_best(const char *accept);

#endif
