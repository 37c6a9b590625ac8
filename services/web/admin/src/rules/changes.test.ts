import { expect, it } from 'vitest';
import { grouped, kindOf, summary, told } from './changes';

it('tells fields in words', () => {
  expect(told({ path: 'strategy', before: 'round_robin', after: 'performance' })).toEqual([
    { provider: '', field: 'Strategy', before: 'In turn, by weight', after: 'The most reliable' },
  ]);
  expect(told({ path: 'providers.azure.eu.timeout_ms', before: '30000', after: '1500' })).toEqual([
    { provider: 'azure.eu', field: 'Timeout', before: '30 s', after: '1.5 s' },
  ]);
});

it('tells models by their names, whatever those are', () => {
  expect(told({ path: 'providers.openai.models.gpt-4.1', after: 'true' })).toEqual([
    { provider: 'openai', field: 'Model gpt-4.1', before: undefined, after: 'true' },
  ]);
});

const WHOLE = JSON.stringify({ name: 'echo.b', type: 'echo', weight: 2, models: { a: 'a', b: 'c' } });

it('tells a provider that is new or gone field by field', () => {
  const added = told({ path: 'providers.echo.b', after: WHOLE });
  expect(added).toEqual([
    { provider: 'echo.b', field: 'Type', before: undefined, after: 'echo' },
    { provider: 'echo.b', field: 'Weight', before: undefined, after: '2' },
    { provider: 'echo.b', field: 'Models', before: undefined, after: 'a, b → c' },
  ]);
  expect(kindOf(added)).toBe('added');
  expect(kindOf(told({ path: 'providers.echo.b', before: WHOLE }))).toBe('removed');
  expect(kindOf(told({ path: 'providers.x.models.m', after: 'm' }))).toBe('changed');
});

it('puts those of a provider together, and all in one line', () => {
  const changes = [
    { path: 'providers.b.weight', before: '1', after: '2' },
    { path: 'providers.b.priority', before: '0', after: '5' },
    { path: 'providers.new', after: WHOLE },
    { path: 'providers.b.models.GPT', after: 'GPT' },
    { path: 'failover_enabled', before: 'true', after: 'false' },
  ];
  expect(grouped(changes).map(([provider, all]) => [provider, all.length])).toEqual([
    ['', 1],
    ['b', 3],
    ['new', 3],
  ]);
  expect(summary(changes)).toBe('Failover; b: weight, priority, model GPT; new added');
  expect(summary([])).toBe('');
  const many = ['a', 'b', 'c', 'd'].map(name => ({ path: `providers.${name}.weight`, after: '1' }));
  expect(summary(many)).toBe('a: weight; b: weight and 2 more');
});
