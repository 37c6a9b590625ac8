/** Messages that only administrators see, in their JSON mapping as in shared/src/api/types.ts. */
import type { Usage } from '@llm-platform/shared';

export interface ServiceState {
  name: string;
  state: string;
  detail: string;
}

export interface ProviderHealth {
  name: string;
  type: string;
  enabled: boolean;
  /** healthy, degraded, down, unconfigured */
  state: string;
  /** What to do about it. */
  detail: string;
  models: string[];
  successes: string;
  failures: string;
  /** 0 to 1: the share of recent calls that succeeded. */
  score: number;
  /** closed, open, half-open */
  circuit: string;
}

export interface Overview {
  at: string;
  version: string;
  environment: string;
  services: ServiceState[];
  providers: ProviderHealth[];
  providers_unknown?: string;
  /** Null: no entry says anything of it. */
  traffic: Traffic | null;
}

/** What the entries have answered in the last hour. */
export interface Traffic {
  /** Of the replica that counts for the longest. */
  since: string;
  requests: number;
  /** By whose fault: caller, policy, platform, provider. */
  errors: Record<string, number>;
  /** Null: there was nothing to measure. */
  duration: Percentiles | null;
  first_byte: Percentiles | null;
  /** The replicas that have said so, each since an hour ago or since it began. */
  entries: TrafficEntry[];
  /** Entries that did not answer. */
  silent: string[];
}

export interface Percentiles {
  p50_ms: number;
  p95_ms: number;
}

export interface TrafficEntry {
  name: string;
  replica: string;
  since: string;
}

export interface Decision {
  decision_id: string;
  primary?: RouteTarget;
  fallback?: RouteTarget;
  matched_rules: string[];
  strategy: string;
  /** In the order of preference, those that are left out last. */
  explanation: Explanation[];
  /** Why nobody can be chosen. */
  rejection: string;
}

export interface Explanation {
  provider: string;
  /** chosen, standby, left_out */
  outcome: string;
  reason: string;
}

export interface ProviderModel {
  name: string;
  /** Empty: the same. */
  upstream: string;
}

/** What is left out is as rules/definition.ts has it. */
export interface ProviderDefinition {
  name: string;
  type: string;
  base_url?: string;
  enabled?: boolean;
  models: ProviderModel[];
  weight?: number;
  priority?: number;
  timeout_ms?: number;
  retry_count?: number;
}

export interface RoutingDocument {
  strategy: string;
  failover_enabled?: boolean;
  providers: ProviderDefinition[];
}

/** A field that differs. */
export interface RuleChange {
  path: string;
  before?: string;
  after?: string;
}

export interface RulesReplica {
  address: string;
  number: number;
  problem: string;
}

export interface RoutingRevision {
  /** 0: nothing is stored, the configuration file is in force. */
  number: number;
  etag: string;
  /** file, api, restore */
  source: string;
  created_at: string;
  actor: string;
  note: string;
  restored: number;
  document?: RoutingDocument;
  changes: RuleChange[];
  file_differs: boolean;
  replicas: RulesReplica[];
}

export interface TestReport {
  ok: boolean;
  detail: string;
  /** HTTP status of the provider, 0: none came. */
  status: number;
  milliseconds: number;
  models: string[];
}

export interface RouteTarget {
  provider: string;
  upstream_model: string;
}

export interface ListedModel {
  id: string;
  owned_by: string;
  created: string;
}

export interface SecretVersionInfo {
  version: number;
  created_at: string;
  created_by: string;
  enabled: boolean;
  /** A rotation replaced it. */
  valid_until: string;
}

export interface SecretInfo {
  path: string;
  /** 0: deleted, or disabled. */
  current_version: number;
  versions: number[];
  updated_at: string;
  description: string;
  labels: Record<string, string>;
  /** A reminder: nothing ends then. */
  expires_at: string;
  created_at: string;
  created_by: string;
  updated_by: string;
  details: SecretVersionInfo[];
}

export interface SecretAccess {
  at: string;
  /** The service. */
  caller: string;
  /** A user's id, or the service again. */
  actor: string;
  operation: string;
  version: number;
  result: string;
}

export interface AuditEntry {
  number: string;
  entry_id: string;
  at: string;
  service: string;
  actor_id: string;
  actor_name: string;
  actor_kind: string;
  actor_role: string;
  organization_id: string;
  action: string;
  target: string;
  result: string;
  reason: string;
  request_id: string;
  source: string;
  /** A JSON object. */
  details: string;
  repeated: string;
  previous: string;
  hash: string;
}

export interface AuditVerification {
  checked_to: string;
  hash: string;
  end: boolean;
  broken: string;
  reason: string;
}

export interface LedgerEntry {
  sequence: string;
  /** reserve, settle, release, adjust */
  kind: string;
  reservation_id: string;
  attempt_id: string;
  key_id: string;
  provider: string;
  model: string;
  amount: string;
  certainty: string;
  usage?: Usage;
  result: string;
  price_revision: string;
  created_at: string;
  request_id: string;
  user_id: string;
  /** HTTP status of the provider; 0: none came. */
  status: number;
  /** By the clock of model-proxy; empty: not known. */
  sent_at: string;
  /** Microseconds from then; "0": it never came, or is not known. */
  first_byte_us: string;
  duration_us: string;
  /** The provider's own id of the call. */
  provider_request_id: string;
}

export interface Attempt {
  attempt_id: string;
  key_id: string;
  provider: string;
  model: string;
  certainty: string;
  resolved: boolean;
  amount: string;
  usage?: Usage;
  reserved_at: string;
  request_id: string;
  user_id: string;
  result: string;
  status: number;
  sent_at: string;
  first_byte_us: string;
  duration_us: string;
  provider_request_id: string;
}

export interface AttemptPage {
  items: Attempt[];
  cursor: string;
}

export interface BudgetNotification {
  event_id: string;
  budget_id: string;
  threshold: number;
  /** pending, delivered, dead, kept */
  state: string;
  attempts: number;
  created_at: string;
  due_at: string;
  reason: string;
  body: string;
}
