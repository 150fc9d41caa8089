/** Content that exists but can't be served at the moment. The message is shown to whoever asked for it, who may ask again. */
export class Unavailable extends Error {}
