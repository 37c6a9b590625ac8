import type { UsageRow } from '@llm-platform/shared';

export type Dimension = 'organization' | 'team' | 'user' | 'key' | 'provider' | 'model' | 'day';
export type Filter = Exclude<Dimension, 'day'>;

export const DIMENSIONS: { value: Dimension; label: string; plural: string }[] = [
  { value: 'organization', label: 'Organisation', plural: 'organisations' },
  { value: 'team', label: 'Team', plural: 'teams' },
  { value: 'user', label: 'User', plural: 'users' },
  { value: 'key', label: 'Key', plural: 'keys' },
  { value: 'provider', label: 'Provider', plural: 'providers' },
  { value: 'model', label: 'Model', plural: 'models' },
  { value: 'day', label: 'Day', plural: 'days' },
];

export const FILTERS: readonly Filter[] = ['organization', 'team', 'user', 'key', 'provider', 'model'];

export const dimensionOf = (name: string) => DIMENSIONS.find(({ value }) => value === name);

/** What a row is about, in one dimension: an id, a name or a day. */
export function valueOf(row: UsageRow, dimension: Dimension): string {
  if (dimension === 'provider' || dimension === 'model' || dimension === 'day') return row[dimension];
  return row[`${dimension}_id`];
}

/** Where a click into a row leads: the next of these that is not filtered by yet. */
const DEEPER: Record<Filter, readonly Dimension[]> = {
  organization: ['team', 'user', 'model'],
  team: ['user', 'key', 'model'],
  user: ['key', 'model'],
  key: ['model', 'day'],
  provider: ['model', 'organization', 'user'],
  model: ['user', 'key', 'day'],
};

export function nextDimension(clicked: Filter, filtered: (dimension: Filter) => boolean): Dimension {
  return DEEPER[clicked].find(next => next === 'day' || !filtered(next)) ?? 'day';
}
