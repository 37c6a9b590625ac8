import { describe, expect, it } from 'vitest';
import type { RoutingDocument } from '../types';
import { partWords, withFields, withoutProvider, withProvider } from './document';

const provider = (name: string, more = {}) => ({ name, type: 'openai', models: [], ...more });
const rules = (...providers: RoutingDocument['providers']): RoutingDocument => ({ strategy: '', providers });
const names = (document: RoutingDocument) => document.providers.map(each => each.name);

describe('a change of one provider', () => {
  const before = rules(provider('a'), provider('b'));

  it('keeps its place, or adds it at the end', () => {
    expect(withProvider(before, provider('a', { weight: 3 })).providers[0]).toMatchObject({ weight: 3 });
    expect(names(withProvider(before, provider('c')))).toEqual(['a', 'b', 'c']);
    expect(names(withProvider(withoutProvider(before, 'a'), provider('a'), 'a'))).toEqual(['b', 'a']);
  });

  it('leaves the others and the document that it was made of', () => {
    expect(withFields(before, 'b', { enabled: false }).providers).toEqual([
      provider('a'),
      provider('b', { enabled: false }),
    ]);
    expect(withFields(before, 'gone', { enabled: false })).toEqual(before);
    expect(names(before)).toEqual(['a', 'b']);
  });
});

describe('what priority and weight come to', () => {
  const document = rules(
    provider('a', { weight: 2 }),
    provider('b', { weight: 1 }),
    provider('c', { priority: 5 }),
    provider('d', { weight: 0 }),
    provider('e', { enabled: false }),
  );

  it('is told in words', () => {
    expect(document.providers.map(each => partWords(document, each))).toEqual([
      'First choice, 67 % of the calls',
      'First choice, 33 % of the calls',
      'Choice 2',
      'Steps in only',
      'Takes no calls',
    ]);
  });

  it('has no shares where another strategy chooses', () => {
    expect(partWords({ ...document, strategy: 'performance' }, document.providers[0]!)).toBe('First choice');
  });
});
