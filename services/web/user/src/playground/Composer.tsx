import { ActionIcon, Button, FileButton, Group, Textarea, Tooltip } from '@mantine/core';
import { ImagePlus, Send, Square, X } from 'lucide-react';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import type { Image } from './chat';
import { readImage } from './image';
import classes from './Playground.module.css';

interface ComposerProps {
  running: boolean;
  disabled: boolean;
  onSend: (text: string, images: Image[]) => void;
  onStop: () => void;
}

/** Where a message is written. Enter sends, Shift+Enter begins a line. */
export function Composer({ running, disabled, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState('');
  const [images, setImages] = useState<Image[]>([]);
  const ready = !disabled && !running && text.trim() !== '';
  const send = () => {
    if (!ready) return;
    onSend(text.trim(), images);
    setText('');
    setImages([]);
  };
  const attach = async (files: File[]) => {
    for (const file of files) {
      try {
        const image = await readImage(file);
        setImages(current => [...current, image]);
      } catch (error) {
        notifications.show({ color: 'red', message: (error as Error).message });
      }
    }
  };
  return (
    <form
      className={classes.composer}
      onSubmit={event => {
        event.preventDefault();
        send();
      }}
    >
      {images.length > 0 && (
        <div className={classes.images}>
          {images.map((image, at) => (
            <span key={image.url.slice(-40) + at} className={classes.image}>
              <img src={image.url} alt={image.name} />
              <ActionIcon
                size="xs"
                radius="xl"
                variant="filled"
                aria-label={`Remove ${image.name}`}
                onClick={() => setImages(images.filter(other => other !== image))}
              >
                <X size={11} />
              </ActionIcon>
            </span>
          ))}
        </div>
      )}
      <Textarea
        aria-label="Message"
        placeholder="Write a message"
        variant="unstyled"
        autosize
        minRows={2}
        maxRows={12}
        value={text}
        onChange={event => setText(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <Group justify="space-between">
        <FileButton
          accept="image/png,image/jpeg,image/webp,image/gif"
          multiple
          onChange={files => void attach(files)}
        >
          {props => (
            <Tooltip label="Attach images">
              <ActionIcon {...props} size="lg" aria-label="Attach images">
                <ImagePlus size={18} />
              </ActionIcon>
            </Tooltip>
          )}
        </FileButton>
        {running ? (
          <Button variant="default" leftSection={<Square size={13} fill="currentColor" />} onClick={onStop}>
            Stop
          </Button>
        ) : (
          <Button type="submit" leftSection={<Send size={15} />} disabled={!ready}>
            Send
          </Button>
        )}
      </Group>
    </form>
  );
}
