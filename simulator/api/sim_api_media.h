/* simulator/api/sim_api_media.h - files in bodies of the control API */
#ifndef SIM_API_MEDIA_H
#define SIM_API_MEDIA_H

#include <jansson.h>
#include <stdbool.h>

#include "simulator/api/sim_control.h"
#include "simulator/media/sim_media.h"

/*
 * Put the file that body describes on the media host:
 * {kind, bytes? (base64) | size?, seed?, flaw?}; other members are not looked at.
 * False after an error answer to the call.
 */
bool sim_api_take_media(struct sim_call *call, const json_t *body, enum sim_media_kind *kind_out,
                        struct sim_media_file *file_out);
/* {file, url, directPath, mediaKey, fileSha256, fileEncSha256, fileLength}; bytes in base64. New
 * reference, NULL without memory. */
json_t *sim_api_media_json(const struct sim_media_file *f);

#endif
