import { describe, expect, it } from 'vitest';
import { definitionOf, fieldOf, problemsOf, valuesOf } from './definition';

describe('a form of a provider', () => {
  it('begins with sensible defaults', () => {
    expect(valuesOf()).toMatchObject({
      type: 'openai',
      base_url: 'https://api.openai.com/v1',
      enabled: true,
      weight: 1,
      priority: 0,
      timeout_seconds: 30,
      retry_count: 2,
      models: [],
    });
  });

  it('gives back what it was made of', () => {
    const definition = {
      name: 'azure.eu',
      type: 'openai',
      base_url: 'https://eu.example/v1',
      enabled: false,
      models: [
        { name: 'fast', upstream: 'gpt-x-mini' },
        { name: 'gpt-x', upstream: 'gpt-x' },
      ],
      weight: 0,
      priority: -1,
      timeout_ms: 1500,
      retry_count: 0,
    };
    expect(definitionOf(valuesOf(definition))).toEqual(definition);
  });

  it('leaves out rows without a name, and the address of what has none', () => {
    const values = { ...valuesOf(), name: ' e ', type: 'echo', models: [{ name: ' ', upstream: 'x' }] };
    const sent = definitionOf(values);
    expect(sent).toMatchObject({ name: 'e', models: [] });
    expect(sent).not.toHaveProperty('base_url');
  });

  it('says what is wrong before it is sent', () => {
    const check = problemsOf(['openai']);
    expect(check.name('openai')).toMatch('of this name');
    expect(check.name('../x')).toMatch('Letters');
    expect(check.name('azure.eu')).toBeNull();
    expect(check.base_url('ftp://x', valuesOf())).not.toBeNull();
    expect(check.base_url('', { ...valuesOf(), type: 'echo' })).toBeNull();
    for (const value of ['', -1, 1.5, 'x']) expect(check.weight(value)).not.toBeNull();
    expect([check.weight(0), check.retry_count(10), check.timeout_seconds(0.5)]).toEqual([null, null, null]);
    expect([check.retry_count(11), check.timeout_seconds('')]).not.toContain(null);
  });
});

it.each([
  ['providers.azure.eu.base_url', 'base_url'],
  ['providers.azure.eu.timeout_ms', 'timeout_seconds'],
  ['providers.azure.eu.models[3].upstream', 'models.3.upstream'],
  ['providers[2].name', 'name'],
  ['definition.base_url', 'base_url'],
  ['note', 'note'],
  ['providers.other.base_url', 'providers.other.base_url'],
])('what the service says of %s stands at %s', (param, field) =>
  expect(fieldOf(param, 'azure.eu')).toBe(field),
);
