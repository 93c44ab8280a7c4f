// Written by `python -m fateboard.typescript`. Do not edit.

export interface Axis {
  label: string | Text;
  integer?: boolean;
  percent?: boolean;
}

export interface ByAxis {
  kind: "by_axis";
  id: string;
  axis: string | Text;
  positions: (number)[];
  selected: number;
  columns: (Column)[];
  rows: ((string | number | boolean | Text | null)[])[];
  cells: Record<string, ((string | number | boolean | null)[])[]>;
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface Choice {
  kind: "choice";
  id: string;
  label: string | Text;
  options: (Option)[];
  selected?: string;
  blocks?: (KeyValues | Table | ByAxis | Confusion | Curve | Combo | HeatMap | Forest | Choice | Tabs | Paragraph | Raw)[];
  title?: string | Text;
}

export interface Column {
  id: string;
  label: string | Text;
  format?: "bar" | "duration" | "integer" | "number" | "percent" | "text" | "time" | "yes_no";
  sortable?: boolean;
  frozen?: boolean;
  help?: string | Text;
}

export interface Combo {
  kind: "combo";
  id: string;
  categories: (string)[];
  axes: (Axis)[];
  series: (ComboSeries)[];
  x?: string | Text;
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface ComboSeries {
  label: string | Text;
  type: "bar" | "line";
  values: (number | null)[];
  axis?: number;
  stack?: string;
}

export interface Comparison {
  jobs: (JobRow)[];
  blocks: (KeyValues | Table | ByAxis | Confusion | Curve | Combo | HeatMap | Forest | Choice | Tabs | Paragraph | Raw)[];
  notices: (Notice)[];
}

export interface Confusion {
  kind: "confusion";
  id: string;
  thresholds: (number)[];
  selected: number;
  models: (ConfusionModel)[];
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface ConfusionModel {
  label: string | Text;
  dataset: string | Text;
  tp: (number | null)[];
  tn: (number | null)[];
  fp: (number | null)[];
  fn: (number | null)[];
  f1: (number | null)[];
}

export interface Curve {
  kind: "curve";
  id: string;
  x: Axis;
  y: Axis;
  series: (Series)[];
  marks?: (Mark)[];
  diagonal?: boolean;
  live?: (string)[];
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface Dag {
  nodes: (DagNode)[];
  edges: (DagEdge)[];
}

export interface DagEdge {
  source: string;
  source_port: string;
  target: string;
  target_port: string;
  kind: string;
}

export interface DagNode {
  name: string;
  module: string;
  need_run: boolean;
  inputs: (Port)[];
  outputs: (Port)[];
}

export interface DataPreview {
  names: (string)[];
  table: number;
  header: (string)[];
  rows: ((string | number | boolean | null)[])[];
  total: number;
  notices?: (Notice)[];
}

export interface Dataset {
  role: string;
  party_id: string;
  component: string;
  table: string;
}

export interface Disclosed {
  component: string;
  message: string;
  direction: string;
  src: string;
  dst: string;
  kind: string;
  reveals: string | Text;
  telling: boolean;
  result: string;
  count: number;
  size: number;
}

export interface Disclosure {
  lines: (Disclosed)[];
  by_kind: Record<string, Record<string, (number)[]>>;
  schemes: (Scheme)[];
  warnings: (Notice)[];
  verified: boolean;
}

export interface Entry {
  label: string;
  party?: string;
}

export interface Event {
  number: number;
  topic: string;
  kind: string;
  body: any;
}

export interface Failure {
  component: string;
  party: string;
  mine: boolean;
  message: string;
  detail: string;
  log_line?: number;
}

export interface Fault {
  code: string;
  message: string;
  hint?: string;
  retry_after_s?: number;
}

export interface Flag {
  row: number;
  column: number;
  flag: "best" | "differs" | "infinite" | "minus_infinite" | "nan" | "other_party" | "removed";
  party?: string;
}

export interface FlowState {
  up: boolean;
  problem: string;
}

export interface Forest {
  kind: "forest";
  id: string;
  trees: (TreeEntry)[];
  labels?: (string)[];
  parties?: (string)[];
  title?: string | Text;
  help?: string | Text;
}

export interface HeatMap {
  kind: "heatmap";
  id: string;
  rows: (Entry)[];
  columns: (Entry)[];
  values: string;
  low?: number;
  high?: number;
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface Item {
  label: string | Text;
  value: string | number | boolean | Text | null;
  format?: "bar" | "duration" | "integer" | "number" | "percent" | "text" | "time" | "yes_no";
  help?: string | Text;
}

export interface JobDetail {
  job: JobRow;
  dag: Dag;
  tasks: (Task)[];
  datasets: (Dataset)[];
  siblings: (JobKey)[];
  kind: string;
  waiting: string | Text;
  failure: Failure | null;
  model_id: string;
  model_version: string;
  notices?: (Notice)[];
}

export interface JobKey {
  job_id: string;
  role: string;
  party_id: string;
}

export interface JobPage {
  total: number;
  page: number;
  size: number;
  jobs: (JobRow)[];
  facets: Record<string, Record<string, number>>;
  metrics: (string)[];
}

export interface JobRow {
  job_id: string;
  role: string;
  party_id: string;
  name: string;
  notes: string;
  status: string;
  progress: number;
  initiator: boolean;
  partners: (string)[];
  modules: (string)[];
  created_ms: number | null;
  started_ms: number | null;
  ended_ms: number | null;
  elapsed_ms: number | null;
  metric?: number | null;
}

export interface KeyValues {
  kind: "kv";
  id: string;
  items: (Item)[];
  title?: string | Text;
  help?: string | Text;
  export_name?: string;
}

export interface LogAttempts {
  earlier: (number)[];
}

export interface LogFound {
  number: number;
  ordinal: number;
  count: number;
}

export interface LogGrown {
  type: string;
  component: string;
  total: number;
}

export interface LogLine {
  number: number;
  level: string;
  text: string;
}

export interface LogLines {
  lines: (LogLine)[];
  total: number;
}

export interface Mark {
  x: number;
  label: string | Text;
  series?: string;
}

export interface MetricPoints {
  component: string;
  namespace: string;
  name: string;
  points: ([number, number | null])[];
  whole: boolean;
}

export interface Notice {
  level: "error" | "info" | "warn";
  text: Text;
}

export interface Option {
  id: string;
  label: string | Text;
  group?: string;
}

export interface Paragraph {
  kind: "text";
  id: string;
  text: string | Text;
  level?: "error" | "info" | "warn";
  title?: string | Text;
}

export interface Parameters {
  module: string;
  parameters: Record<string, any>;
  defaults: Record<string, any>;
}

export interface Port {
  name: string;
  kind: string;
}

export interface Range {
  column: string;
  min: number;
  max: number;
  step: number;
}

export interface Raw {
  kind: "json";
  id: string;
  content: string;
  title?: string | Text;
}

export interface Scheme {
  component: string;
  text: string | Text;
}

export interface Series {
  id: string;
  label: string | Text;
  points: ([number, number | null])[];
  group?: string;
  group_label?: string | Text;
  party?: string;
  thresholds?: (number | null)[];
  area?: boolean;
}

export interface ServerInfo {
  board_version: string;
  flow_url: string;
  flow_up: boolean;
  flow_version: string;
  problem: string;
  party_id: string;
  serving: boolean;
}

export interface Serving {
  running: boolean;
  now_ms: number;
  url: string;
  party: string;
  ready: boolean;
  in_flight: number;
  problems: (string | Text)[];
  services: (ServingService)[];
  models: (ServingModel)[];
  parties: (ServingParty)[];
  limits: (ServingLimit)[];
}

export interface ServingAnswer {
  answer: Record<string, any>;
  elapsed_ms: number;
}

export interface ServingLimit {
  source: string;
  rows_per_second: number;
}

export interface ServingModel {
  namespace: string;
  version: string;
  role: string;
  party_id: string;
  remotes: (ServingRemote)[];
  components: (string)[];
  columns: (string)[];
  services: (string)[];
  loaded_ms: number | null;
  sha256: string;
  tested: string | Text;
  limit: number | null;
}

export interface ServingName {
  namespace: string;
  version: string;
}

export interface ServingParty {
  party_id: string;
  up: boolean;
}

export interface ServingPolicy {
  fallback?: "cache" | "default" | "fail" | "guest_only";
  fallback_s?: number;
  reuse_s?: number;
  host_constant?: number;
  default_score?: number;
  missing?: "error" | "offline" | "threshold";
  least_hit_rate?: number;
  pin?: boolean;
  micro_batching?: boolean;
}

export interface ServingRemote {
  role: string;
  party_id: string;
  version: string;
}

export interface ServingSecond {
  at_ms: number;
  answered: number;
  failed: number;
  refused: number;
  latency_ms: number;
}

export interface ServingService {
  service_id: string;
  versions: (ServingVersion)[];
  shadow: ServingName | null;
  previous: (string)[];
  policy: ServingPolicy;
  traffic: (ServingSecond)[];
  limit: number | null;
}

export interface ServingVersion {
  namespace: string;
  version: string;
  weight: number;
  share: number;
}

export interface Session {
  user: string;
  access: "admin" | "operator" | "viewer";
  local?: boolean;
  expires_ms?: number | null;
  job?: string;
  notices?: (Notice)[];
}

export interface Share {
  url: string;
  expires_ms: number;
}

export interface Tab {
  id: string;
  label: string | Text;
  blocks: (KeyValues | Table | ByAxis | Confusion | Curve | Combo | HeatMap | Forest | Choice | Tabs | Paragraph | Raw)[];
}

export interface Table {
  kind: "table";
  id: string;
  columns: (Column)[];
  rows: ((string | number | boolean | Text | null)[])[];
  title?: string | Text;
  help?: string | Text;
  page_size?: number;
  facets?: (string)[];
  ranges?: (Range)[];
  footer?: ((string | number | boolean | Text | null)[])[];
  flags?: (Flag)[];
  export_name?: string;
}

export interface Tabs {
  kind: "tabs";
  id: string;
  items: (Tab)[];
  title?: string | Text;
}

export interface Task {
  component: string;
  module: string;
  status: string;
  version: number;
  started_ms: number | null;
  ended_ms: number | null;
  elapsed_ms: number | null;
  error: string;
}

export interface Text {
  code: string;
  args?: Record<string, string | number | Text>;
}

export interface Tree {
  index: number;
  nodes: (TreeNode)[];
  notices?: (Notice)[];
}

export interface TreeEntry {
  index: number;
  round: number;
  size: number;
  depth: number;
  label?: string;
  owner?: string;
}

export interface TreeNode {
  id: number;
  owner: string;
  left?: number;
  right?: number;
  leaf?: boolean;
  mine?: boolean;
  feature?: string;
  condition?: string;
  weights?: (number | null)[];
  count?: number | null;
  text?: string | Text;
  children?: (number)[];
}

export interface View {
  component: string;
  module: string;
  role: string;
  party_id: string;
  blocks: (KeyValues | Table | ByAxis | Confusion | Curve | Combo | HeatMap | Forest | Choice | Tabs | Paragraph | Raw)[];
  notices?: (Notice)[];
}

export type Block = KeyValues | Table | ByAxis | Confusion | Curve | Combo | HeatMap | Forest | Choice | Tabs | Paragraph | Raw;

export type Label = string | Text;
