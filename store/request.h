/*
 * request: the waist going up. The one normalised form in which what a client
 * asked is stored and given to dialects; whatever front it came through.
 *
 * Used by: server/submit (makes it), dialects (read it). The store keeps the
 * bytes and never looks inside.
 *
 * A JSON object (RFC 8259), UTF-8, without insignificant white space:
 *
 * model               string; absent: the default target
 * messages            array, never empty; each an object with
 *   role              system | user | assistant | tool
 *   content           string, or array of parts
 *                     {"type":"text","text":s} |
 *                     {"type":"image_url","image_url":{"url":s,"detail"?:s}};
 *                     may be null for an assistant with tool_calls
 *   name              string, optional
 *   tool_calls        assistant: [{"id","type":"function",
 *                     "function":{"name","arguments":string}}]
 *   tool_call_id      tool: string
 * input               instead of messages: array of 1 to 2048 texts (or arrays
 *                     of tokens) whose embeddings are wanted; the answer's text
 *                     has a line for each, in order: its float32 values, lowest
 *                     byte first, in base64
 * dimensions          integer >= 1, beside input
 * max_output_tokens   integer >= 1
 * temperature, top_p, presence_penalty, frequency_penalty    numbers
 * stop                array of 1 to 8 strings
 * seed                integer
 * tools               array of {"type":"function","function":{"name",
 *                     "description"?,"parameters"?,"strict"?}}
 * tool_choice         "auto" | "none" | "required" | {"name":s}
 * parallel_tool_calls boolean
 * response_format     {"type":"text"|"json_object"} or {"type":"json_schema",
 *                     "json_schema":{…}}
 * reasoning_effort    none | minimal | low | medium | high | xhigh | max
 * stream              boolean; absent: true. How the upstream is asked
 * metadata            object of the caller's; kept, never sent upstream
 * extra               object: further members for the upstream as they are
 * openai              object: as extra, but only for upstreams of that dialect;
 *                     others leave it out, with a warning
 * reply               object of the front's that made it: how the answer is to
 *                     be told; never sent upstream
 * on_interrupt        fail | restart | continue | auto: what to do when the
 *                     answer breaks off half-way; never sent upstream
 * retry               {"attempts"?, "base_ms"?, "max_ms"?}: integers; never
 *                     sent upstream
 */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

/* Ceilings on what is accepted, checked by server/submit. */
#define REQUEST_MAX_MESSAGES 4096
#define REQUEST_MAX_TOOLS 256
#define REQUEST_MAX_INPUTS 2048
#define REQUEST_MAX_DEPTH 64
#define REQUEST_MAX_MODEL_BYTES 256

#endif
