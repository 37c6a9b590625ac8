/** A sentence, as the platform's messages are not always one. */
export const sentence = (text: string): string => (text ? text[0]!.toUpperCase() + text.slice(1) : '');
