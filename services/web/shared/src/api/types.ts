/** The messages of services/proto in their JSON mapping: 64-bit numbers are texts, times RFC 3339. */

export interface Session {
  user_id: string;
  name: string;
  role: string;
  organization_id: string;
  platform: boolean;
  csrf_token: string;
  must_change_password: boolean;
  /** What this role may call: "GET /api/keys". */
  allowed: string[];
}

export interface Info {
  service: string;
  version: string;
  environment: string;
  oidc: boolean;
  entry_url: string;
  /** The other dashboard's address. */
  other_url: string;
}

/** 0 is no limit. */
export interface Limits {
  requests_per_minute: number;
  tokens_per_minute: string;
  concurrency: number;
  requests_burst: number;
  tokens_burst: string;
}

export interface Page<T> {
  items: T[];
  next_page_token: string;
}

export interface Key {
  key_id: string;
  prefix: string;
  name: string;
  user_id: string;
  limits?: Limits;
  allowed_models: string[];
  created_at: string;
  expires_at: string;
  revoked_at: string;
  team_id: string;
  allowed_entries: string[];
  ip_ranges: string[];
  etag: string;
  organization_id: string;
  counted_as: string;
  replaced_by: string;
}

export interface CreatedKey {
  key: Key;
  secret: string;
}

export interface Team {
  team_id: string;
  organization_id: string;
  name: string;
  limits?: Limits;
  created_at: string;
  etag: string;
  members: number;
}

export interface User {
  user_id: string;
  name: string;
  role: string;
  created_at: string;
  organization_id: string;
  kind: string;
  limits?: Limits;
  disabled_at: string;
  team_ids: string[];
  etag: string;
}

export interface Organization {
  organization_id: string;
  name: string;
  limits?: Limits;
  platform: boolean;
  created_at: string;
  etag: string;
}

export interface Origin {
  address: string;
  client: string;
}

export interface SignedInSession {
  session_id: string;
  user_id: string;
  method: string;
  origin?: Origin;
  created_at: string;
  used_at: string;
  expires_at: string;
}

export interface Usage {
  input_tokens: string;
  cached_input_tokens: string;
  cache_write_tokens: string;
  output_tokens: string;
  reasoning_tokens: string;
  input_audio_tokens: string;
  output_audio_tokens: string;
}

export interface UsageRow {
  key_id: string;
  model: string;
  provider: string;
  requests: string;
  usage?: Usage;
  cost: string;
  day: string;
  user_id: string;
  team_id: string;
  organization_id: string;
  adjusted: string;
}

export interface UsageReport {
  rows: UsageRow[];
  cursor: string;
}

export interface Budget {
  scope: string;
  scope_id: string;
  period: string;
  enforcement: string;
  limit: string;
  time_zone: string;
  thresholds: number[];
  organization_id: string;
  budget_id: string;
  etag: string;
  spent: string;
  reserved: string;
  remaining: string;
  window_starts_at: string;
  window_ends_at: string;
  updated_at: string;
  updated_by: string;
}

/** Pico-dollars a token. */
export interface PriceTier {
  above: string;
  input: string;
  cached_input: string;
  cache_write: string;
  input_audio: string;
  output: string;
  reasoning: string;
  output_audio: string;
  request: string;
}

export interface ModelPrice {
  provider: string;
  model: string;
  revision: string;
  tiers: PriceTier[];
  starts_at: string;
  ends_at: string;
  currency: string;
}

/** A model that can be called. */
export interface Model {
  id: string;
  /** The provider that is preferred for it. */
  owned_by: string;
}
