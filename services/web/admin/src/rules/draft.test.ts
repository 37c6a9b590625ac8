import { expect, it } from 'vitest';
import { drafted, isChanged, isValid, NO_DRAFT, numberOf } from './draft';

const RULES = {
  strategy: 'round_robin',
  failover_enabled: true,
  providers: [
    { name: 'a', type: 'echo', models: [], weight: 2, priority: 0 },
    { name: 'b', type: 'echo', models: [] },
  ],
};
const draft = { strategy: 'performance', providers: { b: { priority: '3' } } };

it('changes what was touched and nothing else', () => {
  expect(drafted(RULES, draft)).toEqual({
    ...RULES,
    strategy: 'performance',
    providers: [RULES.providers[0], { ...RULES.providers[1], priority: 3 }],
  });
});

it('goes upon rules that somebody else has changed', () => {
  const theirs = { ...RULES, failover_enabled: false, providers: [{ ...RULES.providers[0]!, weight: 9 }] };
  expect(drafted(theirs, draft)).toEqual({ ...theirs, strategy: 'performance' });
});

it('is no change when everything is put back', () => {
  expect(isChanged(RULES, NO_DRAFT)).toBe(false);
  expect(isChanged(RULES, draft)).toBe(true);
  expect(
    isChanged(RULES, { strategy: 'round_robin', providers: { a: { weight: '2' }, b: { weight: 1 } } }),
  ).toBe(false);
  expect(isChanged({ ...RULES, strategy: '' }, { providers: {} })).toBe(false);
});

it('keeps what cannot be saved as it was typed', () => {
  const typed = { providers: { a: { weight: '' } } };
  expect(isValid(typed)).toBe(false);
  expect(isChanged(RULES, typed)).toBe(true);
  expect(numberOf(typed, RULES.providers[0]!, 'weight')).toBe('');
  expect(drafted(RULES, typed)).toEqual(RULES);
  expect(isValid({ providers: { a: { weight: -1 } } })).toBe(false);
  expect(isValid({ providers: { a: { priority: -1 } } })).toBe(true);
});
