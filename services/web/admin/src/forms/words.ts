import { sentence } from '../display/words';

/** What the service says of a field, as it stands at the field: without the field's own path. */
export function wordsAtField({ message, param }: { message: string; param: string }): string {
  const [, told] = message.split(`${param}: `, 2);
  return param && told ? sentence(told.split('; ')[0]!) : message;
}
