import { Accordion, Checkbox, Group, MultiSelect, SimpleGrid, TagsInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  addDays,
  api,
  calendarDay,
  LimitsFields,
  limitsOf,
  limitsText,
  path,
  showSecret,
  useCan,
  useResource,
  useSession,
  type CreatedKey,
  type Key,
  type Model,
  useEdited,
} from '@llm-platform/shared';
import { FormDialog } from '../forms/FormDialog';
import { named, validLimits } from '../forms/validate';
import { SubjectSelect } from '../names/SubjectSelect';
import { changed } from '../query/changed';
import { validRanges } from './ranges';

interface KeyDialogProps {
  /** Unset: a new one. */
  apiKey?: Key;
  onClose: () => void;
}

const ENTRIES = [
  { value: 'tail', label: 'Proxy entry (tail)' },
  { value: 'gateway', label: 'Gateway entry' },
];

/** The time at which a key ends that is good until the end of a day; empty: never. */
const endOf = (day: string): string => (day ? new Date(`${addDays(day, 1)}T00:00:00`).toISOString() : '');
const lastDay = (time: string): string => (time ? calendarDay(new Date(Date.parse(time) - 1)) : '');

export function KeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const session = useSession();
  const can = useCan();
  const models = useResource<{ items: Model[] }>('/api/models', {}, { enabled: can('GET /api/models') });
  const valuesOf = (it?: Key) => ({
    name: it?.name ?? '',
    user: it?.user_id ?? session.user_id,
    team: it?.team_id ?? '',
    limits: limitsText(it?.limits),
    allowed_models: it?.allowed_models ?? [],
    allowed_entries: it?.allowed_entries ?? [],
    ip_ranges: it?.ip_ranges ?? [],
    expires_at: lastDay(it?.expires_at ?? ''),
  });
  type Values = ReturnType<typeof valuesOf>;
  const form = useForm<Values>({
    initialValues: valuesOf(apiKey),
    validate: {
      name: named,
      user: value => (value ? null : 'Choose whose key it is.'),
      limits: validLimits,
      ip_ranges: validRanges,
    },
  });
  const url = path`/api/keys/${apiKey?.key_id ?? ''}`;
  const { base, reload } = useEdited(apiKey, form, () => api.get<Key>(url), valuesOf);

  // What a key may do is settled when it is made; only administrators change it.
  const nameOnly = !!base && session.role !== 'owner' && session.role !== 'admin';

  const save = async (values: Values) => {
    const { name, user, team, allowed_models, allowed_entries, ip_ranges } = values;
    const common = {
      name: name.trim(),
      limits: limitsOf(values.limits),
      expires_at:
        values.expires_at === lastDay(base?.expires_at ?? '') ? base?.expires_at : endOf(values.expires_at),
    };
    if (base) {
      const lists = { allowed_models, allowed_entries, ip_ranges };
      const items = Object.fromEntries(
        Object.entries(lists).map(([field, list]) => [field, { items: list }]),
      );
      await api.patch(url, base.etag, nameOnly ? { name: common.name } : { ...common, ...items });
    } else {
      const made = await api.post<CreatedKey>('/api/keys', {
        ...common,
        user,
        team,
        allowed_models,
        allowed_entries,
        ip_ranges,
      });
      showSecret({ title: `The key "${made.key.name}"`, secret: made.secret });
    }
    await changed('/api/keys');
  };

  return (
    <FormDialog
      title={base ? `Edit ${base.name}` : 'New key'}
      action={base ? 'Save' : 'Create key'}
      form={form}
      save={save}
      onClose={onClose}
      reload={reload}
    >
      <TextInput
        label="Name"
        placeholder="What it is for"
        data-autofocus
        maxLength={100}
        autoComplete="off"
        {...form.getInputProps('name')}
      />
      {!nameOnly && (
        <>
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            {!base && can('GET /api/users') && (
              <SubjectSelect
                kind="user"
                label="User"
                clearable={false}
                {...form.getInputProps('user')}
                onChange={user => form.setValues({ user, team: '' })}
              />
            )}
            {!base && (
              <SubjectSelect
                kind="team"
                label="Team"
                placeholder="None"
                within={{ user: form.values.user }}
                {...form.getInputProps('team')}
              />
            )}
            <TextInput
              type="date"
              label="Good until the end of"
              description="Empty: for ever"
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              min={base ? undefined : calendarDay(new Date())}
              {...form.getInputProps('expires_at')}
            />
            <MultiSelect
              label="Models"
              placeholder={form.values.allowed_models.length ? '' : 'All'}
              searchable
              data={[
                ...new Set([
                  ...(models.data?.items.map(model => model.id) ?? []),
                  ...form.values.allowed_models,
                ]),
              ]}
              {...form.getInputProps('allowed_models')}
            />
          </SimpleGrid>
          <Accordion variant="separated" multiple>
            <Accordion.Item value="limits">
              <Accordion.Control>Limits of this key</Accordion.Control>
              <Accordion.Panel>
                <LimitsFields field={name => form.getInputProps(`limits.${name}`)} />
              </Accordion.Panel>
            </Accordion.Item>
            <Accordion.Item value="from">
              <Accordion.Control>Where it may be used</Accordion.Control>
              <Accordion.Panel>
                <Checkbox.Group
                  label="Entries"
                  description="None chosen: all"
                  mb="md"
                  {...form.getInputProps('allowed_entries')}
                >
                  <Group mt={4}>
                    {ENTRIES.map(entry => (
                      <Checkbox key={entry.value} value={entry.value} label={entry.label} />
                    ))}
                  </Group>
                </Checkbox.Group>
                <TagsInput
                  label="Addresses"
                  description="Networks in CIDR notation, as 10.0.0.0/8; none: any address"
                  splitChars={[',', ' ']}
                  acceptValueOnBlur
                  {...form.getInputProps('ip_ranges')}
                />
              </Accordion.Panel>
            </Accordion.Item>
          </Accordion>
        </>
      )}
    </FormDialog>
  );
}
