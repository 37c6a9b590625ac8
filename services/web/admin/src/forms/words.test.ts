import { expect, it } from 'vitest';
import { wordsAtField } from './words';

it.each([
  [
    'The rules are refused: providers.x.base_url: must begin with https://.',
    'providers.x.base_url',
    'Must begin with https://.',
  ],
  ['Refused: a: must be one; b: must be two', 'a', 'Must be one'],
  ['There is a team of this name.', 'name', 'There is a team of this name.'],
  ['Refused: this', '', 'Refused: this'],
])('"%s" at %s is "%s"', (message, param, words) => expect(wordsAtField({ message, param })).toBe(words));
